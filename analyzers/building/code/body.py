"""The body of a function that builds one (sub)model: one statement a layer call."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from analyzers.building.code import arguments
from analyzers.building.code.text import INDENT, Expression, Identifiers, literal, statement
from analyzers.building.layers import legal_name
from analyzers.building.parts import is_operation
from analyzers.spec import Argument, Call, LayerSpec, ModelSpec, TensorRef
from analyzers.spec.operations import SEVERAL

Use = tuple[str, int]
"""One call of one layer: its name and the call's number."""

RESERVED: Final = frozenset({"keras", "layers", "ops", "x", "inputs", "outputs", "model", "build_model",
                             "Any", "InstanceNormalization", "legacy_hard_sigmoid"})  # fmt: skip

_OPERATORS: Final = {"Add": "+", "Subtract": "-", "Multiply": "*", "TrueDivide": "/", "Power": "**"}
"""Operations on two operands that Python has a sign for."""


@dataclass
class Body:
    """Writes one (sub)model.

    Attributes:
        spec: the (sub)model.
        functions: path of a nested model -> name of the function that builds it.
        marked: names or paths of layers whose statements are marked.
        lines: the statements so far.
    """

    spec: ModelSpec
    functions: Mapping[str, str]
    marked: frozenset[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._layers = {layer.name: layer for layer in self.spec.layers}
        self._names = Identifiers((*RESERVED, *self.functions.values()))
        self._variables: dict[Use, str] = {}
        self._parts: dict[str, str] = {}
        self._unnamed = _automatic_names(self.spec)

    def functional(self) -> Expression:
        """Write inputs and calls; return the model's constructor call."""
        order = call_order(self.spec)
        used: dict[Use, list[int]] = {}
        for step, (name, number) in enumerate(order):
            for ref in self._layers[name].inbound[number].inputs:
                used.setdefault((ref.layer, ref.call), []).append(step)
        for ref in self.spec.outputs:
            used.setdefault((ref.layer, ref.call), []).append(len(order))
        for ref in self.spec.inputs:
            name = "inputs" if len(self.spec.inputs) == 1 else self._names.count("input")
            self._variables[ref.layer, 0] = name
            self.lines.append(self._input(f"{name} = ", self._layers[ref.layer]))
        for step, use in enumerate(order):
            self._write(use, self._variable(used[use], step, len(order)))
        inputs = _bracketed([self._tensor(ref) for ref in self.spec.inputs])
        outputs = _bracketed([self._tensor(ref) for ref in self.spec.outputs])
        return Expression("keras.Model", (inputs, outputs, self._model_name()))

    def sequential(self) -> Expression:
        """Write what must stand before; return the model's constructor call, its layers a list."""
        items = [self._item(layer) for layer in self.spec.layers]
        listed = "\n".join(["[", *items, f"{INDENT * 2}]"])
        return Expression("keras.Sequential", (listed, self._model_name()))

    def _item(self, layer: LayerSpec) -> str:
        """One layer in a Sequential's list."""
        if not layer.inbound:
            return self._input("", layer, ",", depth=3)
        if layer.model is not None and not layer.trainable:
            return f"{INDENT * 3}{self._part(layer)},"
        return statement("", self._constructor(layer), ",", changed=self._is_marked(layer), depth=3)

    def _model_name(self) -> str:
        return f"name={literal(legal_name(self.spec.name))}"

    def _is_marked(self, layer: LayerSpec) -> bool:
        return layer.name in self.marked or layer.path in self.marked

    def _input(self, target: str, layer: LayerSpec, suffix: str = "", depth: int = 1) -> str:
        shape = layer.config["batch_shape"]
        sizes = list(shape) if isinstance(shape, list | tuple) else []
        given = [f"shape={literal(sizes[1:])}"]
        if sizes[0] is not None:
            given.append(f"batch_size={literal(sizes[0])}")
        if layer.config.get("dtype", "float32") != "float32":
            given.append(f"dtype={literal(layer.config['dtype'])}")
        call = Expression("keras.Input", (*given, f"name={literal(legal_name(layer.name))}"))
        return statement(target, call, suffix, changed=self._is_marked(layer), depth=depth)

    def _constructor(self, layer: LayerSpec) -> Expression:
        """How a layer or nested model is made."""
        if layer.model is not None:
            return Expression(self.functions[layer.path])
        extra = [] if layer.trainable else ["trainable=False"]
        if layer.name not in self._unnamed:
            extra.append(f"name={literal(legal_name(layer.name))}")
        return arguments.layer(layer.kind, layer.config, *extra)

    def _variable(self, steps: list[int], step: int, last_step: int) -> str:
        """The variable for a value that is used in the given steps."""
        if steps == [last_step]:
            return "outputs" if len(self.spec.outputs) == 1 else self._names.count("output")
        if set(steps) == {step + 1}:
            return "x"
        return self._names.count("branch" if len(steps) == 1 else "skip")

    def _write(self, use: Use, variable: str) -> None:
        layer = self._layers[use[0]]
        call = layer.inbound[use[1]]
        changed = self._is_marked(layer)
        if is_operation(layer):
            text = _operation(layer, call, self._tensor)
            self.lines.append(f"    {variable} = {text}")
        else:
            operands = self._operands(call)
            if len(layer.inbound) > 1 or (layer.model is not None and not layer.trainable):
                made = Expression(self._part(layer), operands)
                self.lines.append(statement(f"{variable} = ", made, changed=changed))
            else:
                suffix = f"({', '.join(operands)})"
                self.lines.append(
                    statement(f"{variable} = ", self._constructor(layer), suffix, changed=changed)
                )
        self._variables[use] = variable

    def _part(self, layer: LayerSpec) -> str:
        """The variable of a layer that is called more than once, or of a frozen model; made when first asked for."""
        if layer.name not in self._parts:
            name = self._names.make(layer.name)
            self.lines.append(
                statement(f"{name} = ", self._constructor(layer), changed=self._is_marked(layer))
            )
            if layer.model is not None and not layer.trainable:
                self.lines.append(f"    {name}.trainable = False")
            self._parts[layer.name] = name
        return self._parts[layer.name]

    def _operands(self, call: Call) -> tuple[str, ...]:
        given = [_operand(item, self._tensor, brackets="[]") for item in call.args]
        named = {key: _operand(item, self._tensor, brackets="[]") for key, item in call.kwargs.items()}
        given += [f"{key}={text}" for key, text in named.items() if _is_word(key)]
        return tuple(given)

    def _tensor(self, ref: TensorRef) -> str:
        variable = self._variables[ref.layer, ref.call]
        return f"{variable}[{ref.index}]" if _returns_several(self._layers[ref.layer], ref.call) else variable


def _is_word(key: str) -> bool:
    """Whether a call argument's name from a file may stand in code."""
    return key.isascii() and key.isidentifier() and not keyword.iskeyword(key)


def _bracketed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"[{', '.join(items)}]"


def _returns_several(layer: LayerSpec, number: int) -> bool:
    """Whether a call gives a list of tensors, of which one is taken by its index."""
    if layer.model is not None:
        return len(layer.model.outputs) > 1
    if is_operation(layer):
        return layer.kind in SEVERAL
    config: Mapping[str, object] = layer.config
    if layer.kind == "Bidirectional":
        inner = config.get("layer")
        inner_config = inner.get("config") if isinstance(inner, dict) else None
        several = isinstance(inner_config, dict) and inner_config.get("return_state") is True
        return several or config.get("merge_mode", "concat") is None
    scores = bool(layer.inbound) and layer.inbound[number].kwargs.get("return_attention_scores") is True
    return config.get("return_state") is True or scores


def call_order(spec: ModelSpec) -> list[Use]:
    """The calls that the outputs need, each as close behind what it takes as the graph allows.

    Calls of one layer come in their numbers' order, unless a later one feeds an earlier one.
    """
    layers = {layer.name: layer for layer in spec.layers}
    order = _depth_first(layers, spec.outputs, in_turn=True)
    place = {use: step for step, use in enumerate(order)}
    for step, (name, number) in enumerate(order):
        if any(place.get((ref.layer, ref.call), -1) > step for ref in layers[name].inbound[number].inputs):
            return _depth_first(layers, spec.outputs, in_turn=False)
    return order


def _depth_first(
    layers: Mapping[str, LayerSpec], outputs: tuple[TensorRef, ...], *, in_turn: bool
) -> list[Use]:
    done: dict[Use, None] = {}
    opened: set[Use] = set()
    stack: list[tuple[Use, bool]] = [((ref.layer, ref.call), False) for ref in reversed(outputs)]
    while stack:
        use, ready = stack.pop()
        name, number = use
        if ready:
            done[use] = None
        elif use not in opened and layers[name].inbound:
            opened.add(use)
            stack.append((use, True))
            needed = [(name, before) for before in range(number)] if in_turn else []
            needed += [(ref.layer, ref.call) for ref in layers[name].inbound[number].inputs]
            stack += [(one, False) for one in reversed(needed)]
    return list(done)


def _automatic_names(spec: ModelSpec) -> frozenset[str]:
    """Layers without weights whose names Keras may give to an operation of the same model.

    Operations are named as they are made (``add``, ``add_1``), whatever names layers were given.
    """
    operations = {layer.kind.lower() for layer in spec.layers if is_operation(layer)}
    plain = (layer for layer in spec.layers if layer.kind.lower() in operations and not is_operation(layer))
    return frozenset(layer.name for layer in plain)


def _operand(value: Argument, tensor: Callable[[TensorRef], str], brackets: str) -> str:
    if isinstance(value, TensorRef):
        return tensor(value)
    if isinstance(value, tuple):
        items = ", ".join(_operand(item, tensor, brackets) for item in value)
        comma = "," if len(value) == 1 and brackets == "()" else ""
        return f"{brackets[0]}{items}{comma}{brackets[1]}"
    if isinstance(value, Mapping):
        items = ", ".join(
            f"{literal(key)}: {_operand(item, tensor, brackets)}" for key, item in value.items()
        )
        return f"{{{items}}}"
    return literal(value)


def _operation(layer: LayerSpec, call: Call, tensor: Callable[[TensorRef], str]) -> str:
    """An operation: with its sign, as an index, or by its function in ``keras.ops``."""
    operands = [_operand(item, tensor, brackets="()") for item in call.args]
    if layer.kind != "GetItem":
        constants = (isinstance(item, tuple) and not Call((item,)).inputs for item in call.args)
        operands = [
            f"ops.array({text})" if constant else text
            for text, constant in zip(operands, constants, strict=True)
        ]
    named = [f"{key}={_operand(item, tensor, '()')}" for key, item in call.kwargs.items() if _is_word(key)]
    if layer.kind in _OPERATORS and len(operands) == 2 and not named:
        return f"{operands[0]} {_OPERATORS[layer.kind]} {operands[1]}"
    if layer.kind == "GetItem" and len(operands) == 2 and not named:
        return f"{operands[0]}[{_index(call.args[1])}]"
    if layer.kind == "Einsum":  # the one function that takes its setting before its tensors
        return str(Expression("ops.einsum", (literal(layer.config["subscripts"]), *operands)))
    settings = [f"{key}={literal(value)}" for key, value in layer.config.items() if _is_word(key)]
    return str(Expression(f"ops.{arguments.function_name(layer.kind)}", (*operands, *named, *settings)))


def _index(value: Argument) -> str:
    """An index as it stands in brackets: ``:, 0``, ``..., ::-1``."""
    if isinstance(value, tuple):
        return ", ".join(_index(item) for item in value)
    if isinstance(value, Mapping):
        start, stop, step = (value.get(key) for key in ("start", "stop", "step"))
        bounds = ["" if bound is None else literal(bound) for bound in (start, stop, step)]
        return f"{bounds[0]}:{bounds[1]}" + (f":{bounds[2]}" if bounds[2] else "")
    return "..." if value == "..." else literal(value)

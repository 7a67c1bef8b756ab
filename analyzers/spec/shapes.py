"""Output shapes of every layer call, from the spec alone.

A kind without a rule, or a call whose shapes do not fit together, has unknown outputs (``()``), and so
has whatever depends on it; a layer that is not known has those that the file declares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from analyzers.spec.flatten import call_order, flatten
from analyzers.spec.model import Argument, Call, Json, LayerSpec, ModelSpec, Shape, TensorRef
from analyzers.spec.operation_shapes import CALL_RULES, OPERATION_RULES, SEVERAL_RULES
from analyzers.spec.shape_rules import RULES, Config, Shapes, broadcast, product
from analyzers.spec.windows import whole


def infer_shapes(
    spec: ModelSpec, input_shapes: Mapping[str, Shape] | None = None
) -> Mapping[tuple[str, int], Shapes]:
    """Output shapes of every call of the flat graph.

    Args:
        spec: nested or flat.
        input_shapes: batch shapes to take in place of those of the named InputLayers.

    Returns:
        (layer path, call number) -> the shapes of its outputs; ``()`` where they are unknown.  Open
        dimensions are None.

    Raises:
        InputError: the graph itself cannot be followed (``analyzers.spec.flatten``).
    """
    flat = flatten(spec)
    return shapes_in_order(flat, call_order(flat), input_shapes)


def shapes_in_order(
    flat: ModelSpec, order: Iterable[tuple[str, int]], input_shapes: Mapping[str, Shape] | None = None
) -> Mapping[tuple[str, int], Shapes]:
    """`infer_shapes` of a flat spec whose `call_order` is known already."""
    layers = {layer.name: layer for layer in flat.layers}
    replaced = input_shapes or {}
    found: dict[tuple[str, int], Shapes] = {}
    by_ref: dict[tuple[str, int], Shapes] = {}
    for name, number in order:
        layer = layers[name]
        outputs = _outputs(layer, layer.inbound[number], by_ref) if layer.inbound else _input(layer, replaced)
        by_ref[name, number] = found[layer.path, number] = outputs
    return found


def _input(layer: LayerSpec, replaced: Mapping[str, Shape]) -> Shapes:
    shape = replaced.get(layer.name, layer.config.get("batch_shape"))
    if not isinstance(shape, list | tuple):
        return ()
    return (tuple(dim if isinstance(dim, int) else None for dim in shape),)


def _outputs(layer: LayerSpec, call: Call, known: Mapping[tuple[str, int], Shapes]) -> Shapes:
    if not layer.known:
        return layer.declared
    inputs = input_shapes_of(call, known)
    if inputs is None:
        return ()
    try:
        outputs = outputs_of(layer.kind, layer.config, inputs, call)
    except (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError):
        return ()  # sizes that do not fit together: the file is at fault, and the builder says so
    return outputs if all(len(shape) <= MAX_RANK for shape in outputs) else ()


MAX_RANK: Final = 16
"""Axes of a tensor; products of tensors add up those of both, and TensorFlow takes no more than 8 in most places."""


def input_shapes_of(call: Call, known: Mapping[tuple[str, int], Shapes]) -> Shapes | None:
    """Shapes of the tensors that a call works on, in order; None where one is unknown.

    Those are its positional ones and an attention layer's, which may be given by name; masks and
    states are not among them.
    """
    named = tuple(call.kwargs[name] for name in ("query", "value", "key") if name in call.kwargs)
    refs = Call((*call.args, *named)).inputs or call.inputs
    shapes = []
    for ref in refs:
        outputs = known.get((ref.layer, ref.call), ())
        if ref.index >= len(outputs):
            return None
        shapes.append(outputs[ref.index])
    return tuple(shapes)


def outputs_of(kind: str, config: Config, inputs: Shapes, call: Call | None = None) -> Shapes:
    """Output shapes of one call of one layer; ``()`` for a kind without a rule.

    Raises:
        ValueError, TypeError, IndexError, KeyError, ZeroDivisionError: the settings and the shapes do
            not fit together.
    """
    if kind in _SEVERAL:
        return _SEVERAL[kind](kind, config, inputs)
    if kind in SEVERAL_RULES:
        return SEVERAL_RULES[kind](config, inputs)
    if kind in CALL_RULES and call is not None:
        return (CALL_RULES[kind](config, inputs, call),)
    if kind == "GetItem" and call is not None and len(call.args) > 1:
        return (_indexed(inputs[0], call.args[1]),)
    if kind in _ALSO_OPERATIONS and call is not None and call.args and not merges(call.args[0]):
        return (broadcast(inputs, trusting=True),)
    rule = RULES.get(kind) or OPERATION_RULES.get(kind)
    return () if rule is None else (rule(config, inputs),)


def merges(operand: Argument) -> bool:
    """Whether a call's first argument is the tensors that a merge layer takes, and no constant of an operation."""
    return isinstance(operand, tuple) and bool(Call((operand,)).inputs)


_ALSO_OPERATIONS: Final = frozenset({"Add", "Subtract", "Multiply", "Maximum", "Minimum"})
"""Kinds that are a merge layer when they take one tuple, and an operation when they take operands."""


def _time_distributed(_: str, config: Config, inputs: Shapes) -> Shapes:
    kind, inner = inner_layer(config["layer"])
    batch, steps, *rest = inputs[0]
    (output,) = outputs_of(kind, inner, ((batch, *rest),))
    return ((output[0], steps, *output[1:]),)


def _wrapped(_: str, config: Config, inputs: Shapes) -> Shapes:
    kind, inner = inner_layer(config["layer"])
    return outputs_of(kind, inner, inputs)


def inner_layer(value: Json) -> tuple[str, Config]:
    """Kind and config of a wrapped layer."""
    if not isinstance(value, dict) or not isinstance(value.get("config", {}), dict):
        raise TypeError("no layer is wrapped")
    return str(value["kind"]), value.get("config", {})  # type: ignore[return-value]


_RECURRENT_STATES: Final = {"SimpleRNN": 1, "GRU": 1, "LSTM": 2}


def _recurrent(kind: str, config: Config, inputs: Shapes) -> Shapes:
    batch, steps = inputs[0][0], inputs[0][1]
    units = whole(config["units"])
    output: Shape = (batch, steps, units) if config.get("return_sequences") else (batch, units)
    states = ((batch, units),) * _RECURRENT_STATES[kind] if config.get("return_state") else ()
    return (output, *states)


CONV_LSTM: Final = {f"ConvLSTM{rank}D": rank for rank in (1, 2, 3)}
"""Kind -> spatial axes of each step's map."""


def _conv_lstm(kind: str, config: Config, inputs: Shapes) -> Shapes:
    step = conv_lstm_step(inputs)
    state = RULES[f"Conv{CONV_LSTM[kind]}D"](config, (step,))
    output = (state[0], inputs[0][1], *state[1:]) if config.get("return_sequences") else state
    return (output, *((state,) * 2 if config.get("return_state") else ()))


def conv_lstm_step(inputs: Shapes) -> Shape:
    """The shape of one step's map of a convolutional LSTM's input."""
    batch, _, *rest = inputs[0]
    return (batch, *rest)


def _bidirectional(_: str, config: Config, inputs: Shapes) -> Shapes:
    kind, inner = inner_layer(config["layer"])
    output, *states = outputs_of(kind, inner, inputs)
    mode = config.get("merge_mode", "concat")
    if mode is None:
        return (output, output, *states, *states)
    if mode == "concat":
        output = (*output[:-1], product((output[-1], 2)))
    return (output, *states, *states)


_SEVERAL: Final[Mapping[str, Callable[[str, Config, Shapes], Shapes]]] = {
    **dict.fromkeys(CONV_LSTM, _conv_lstm),
    **dict.fromkeys(_RECURRENT_STATES, _recurrent),
    "Bidirectional": _bidirectional,
    "SpectralNormalization": _wrapped,
    "TimeDistributed": _time_distributed,
}
"""Kind -> its shape rule, for layers that may have several outputs or hold another layer."""


def _indexed(shape: Shape, key: Argument) -> Shape:
    """Basic indexing: numbers, slices (``{"start", "stop", "step"}``), ``"..."`` and None."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if "..." in keys:
        place = keys.index("...")
        consumed = sum(item is not None for item in keys) - 1
        keys[place : place + 1] = [_WHOLE] * (len(shape) - consumed)
    dims = iter(shape)
    result: list[int | None] = []
    for item in keys:
        if item is None:
            result.append(1)
            continue
        dim = next(dims)
        if isinstance(item, Mapping):
            result.append(_sliced(dim, *(_bound(item[name]) for name in ("start", "stop", "step"))))
        elif isinstance(item, TensorRef | str):
            raise TypeError("an index that is a tensor")
    return (*result, *dims)


def _bound(value: Argument) -> int | None:
    if value is not None and not isinstance(value, int):
        raise TypeError("an index that is no number")
    return value


def _sliced(dim: int | None, start: int | None, stop: int | None, step: int | None) -> int | None:
    if start is None and stop is None and step in (None, 1, -1):
        return dim
    return None if dim is None else len(range(dim)[start:stop:step])


_WHOLE: Final[Mapping[str, Argument]] = {"start": None, "stop": None, "step": None}

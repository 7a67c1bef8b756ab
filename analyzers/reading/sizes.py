"""Sizes that a graph of tf.keras 2 takes from its tensors: ``tf.reshape(x, (tf.shape(x)[0], -1, 8))``.

In the file ``tf.shape``, the index behind it and the arithmetic on it are layers of their own, and the
reshape refers to them.  Where the graph's shapes tell the sizes they are written into the call that uses
them, and the layers that only worked them out leave the graph.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import Final, TypeAlias

from analyzers.reading.operations import tensorflow_operation
from analyzers.reading.tensorflow_operations import OLD
from analyzers.spec.flatten import call_order
from analyzers.spec.model import Argument, Call, Json, LayerSpec, ModelSpec, Shape, TensorRef
from analyzers.spec.shapes import MAX_RANK, infer_shapes


class _Size(Enum):
    """A size that only the data tell."""

    BATCH = "the batch"
    OPEN = "an axis that the file leaves open"


Value: TypeAlias = "int | _Size | tuple[Value, ...]"
Values: TypeAlias = "Mapping[TensorRef, Value]"
Shapes: TypeAlias = "Mapping[tuple[str, int], tuple[Shape, ...]]"

MAX_SIZE: Final = 2**31
MAX_ROUNDS: Final = 32
"""How often sizes may rest on tensors whose own shapes rest on such sizes."""

_ARITHMETIC: Final[dict[str, Callable[[int, int], int]]] = {
    "Add": operator.add,
    "Subtract": operator.sub,
    "Multiply": operator.mul,
    "FloorDivide": operator.floordiv,
}


def resolved(spec: ModelSpec, *, merging: bool) -> ModelSpec:
    """``spec`` with the sizes in its calls written out, as far as they are known.

    Args:
        spec: one model of a file before Keras 3, its references settled.
        merging: whether operations may become merge layers.
    """
    if not any(_function(layer) == "shape" for layer in spec.layers):
        return spec
    worked_out: set[str] = set()
    for _ in range(MAX_ROUNDS):
        shapes = infer_shapes(spec)
        values = _values(spec, shapes)
        worked_out |= {ref.layer for ref in values}
        layers = tuple(_written(layer, spec, values, shapes, merging=merging) for layer in spec.layers)
        if layers == spec.layers:
            break
        spec = replace(spec, layers=layers)
    return _without(spec, worked_out)


def _function(layer: LayerSpec) -> str:
    """The TensorFlow function of a layer that is not known; empty for any other."""
    return "" if layer.known else str(layer.config.get("function", "")).removeprefix(OLD)


def _values(spec: ModelSpec, shapes: Shapes) -> dict[TensorRef, Value]:
    """What every tensor of sizes holds."""
    layers = {layer.name: layer for layer in spec.layers}
    found: dict[TensorRef, Value] = {}
    for name, number in call_order(spec):
        layer = layers[name]
        value = _value(layer, layer.inbound[number], found, layers, shapes) if layer.inbound else None
        if value is not None:
            found[TensorRef(name, number)] = value
    return found


def _value(
    layer: LayerSpec, call: Call, values: Values, layers: Mapping[str, LayerSpec], shapes: Shapes
) -> Value | None:
    if _function(layer) == "shape":
        shape = _shape(call.inputs[0], layers, shapes)
        return (_Size.BATCH, *(size or _Size.OPEN for size in shape[1:])) if shape else None
    given = [_filled(item, values) for item in call.args]
    if layer.kind == "GetItem":
        return _indexed(given[0], call.args[1]) if len(given) == _TWO else None
    if layer.kind == "Concatenate":
        return _joined(given[0])
    if layer.kind in ("Cast", "Stack"):
        return given[0] if _is_flat(given[0]) else None
    operands = (
        given[0] if len(given) == 1 and isinstance(given[0], tuple) else given
    )  # a merge layer takes a tuple
    return _computed(layer.kind, *operands) if len(operands) == _TWO else None


_TWO: Final = 2


def _computed(kind: str, first: Value | None, second: Value | None) -> Value | None:
    """A sum, difference, product or quotient of sizes; of several, one by one."""
    if isinstance(first, tuple):
        others = second if isinstance(second, tuple) else (second,) * len(first)
        found = [_computed(kind, *pair) for pair in zip(first, others, strict=False)]
        told = tuple(one for one in found if one is not None)
        return told if len(told) == len(first) == len(others) else None
    if kind not in _ARITHMETIC or not isinstance(first, int) or not isinstance(second, int):
        return None
    if kind == "FloorDivide" and not second:
        return None
    number = _ARITHMETIC[kind](first, second)
    return number if abs(number) <= MAX_SIZE else None


def _joined(parts: Value | None) -> Value | None:
    if not isinstance(parts, tuple) or not all(isinstance(part, tuple) for part in parts):
        return None
    joined = tuple(size for part in parts if isinstance(part, tuple) for size in part)
    return joined if _is_flat(joined) else None


def _is_flat(value: Value | None) -> bool:
    """Whether a value is a size, or as many sizes as a tensor may have axes."""
    sizes = value if isinstance(value, tuple) else (value,)
    return len(sizes) <= MAX_RANK and not any(isinstance(size, tuple) for size in sizes)


def _shape(ref: TensorRef, layers: Mapping[str, LayerSpec], shapes: Shapes) -> Shape:
    """The shape of a tensor; empty where it is not known."""
    outputs = shapes.get((layers[ref.layer].path, ref.call), ())
    return outputs[ref.index] if ref.index < len(outputs) else ()


def _indexed(sizes: Value | None, key: Argument) -> Value | None:
    if not isinstance(sizes, tuple):
        return None
    if isinstance(key, tuple) and len(key) == 1:
        key = key[0]
    if isinstance(key, Mapping):
        bounds = [key.get(name) for name in ("start", "stop", "step")]
        whole = [bound if isinstance(bound, int) else None for bound in bounds]
        return sizes[slice(*whole)] if whole == bounds and whole[2] != 0 else None
    return sizes[key] if type(key) is int and -len(sizes) <= key < len(sizes) else None


def _filled(value: Argument, values: Values) -> Value | None:
    """An argument that holds sizes alone; None where it holds anything else."""
    if isinstance(value, TensorRef):
        return values.get(value)
    if isinstance(value, tuple):
        items = [_filled(item, values) for item in value]
        found = tuple(item for item in items if item is not None)
        return found if len(found) == len(items) else None
    return value if type(value) is int else None


# --- the calls that use sizes -----------------------------------------------------------------------------


def _written(
    layer: LayerSpec, spec: ModelSpec, values: Values, shapes: Shapes, *, merging: bool
) -> LayerSpec:
    """A layer whose calls say the sizes themselves; the same where they do not all tell them."""
    function = _function(layer)
    if layer.kind == "GetItem":
        calls = [_with_index(call, values) for call in layer.inbound]
        return layer if None in calls else replace(layer, inbound=tuple(c for c in calls if c is not None))
    if function not in _USING:
        return layer
    layers = {one.name: one for one in spec.layers}
    told = []
    for call in layer.inbound:
        name, use = _USING[function]
        taken = _filled(call.kwargs.get(name), values)
        source = _shape(call.inputs[0], layers, shapes)
        sizes = use(taken, source) if isinstance(taken, tuple) else None
        if sizes is None:
            return layer
        told.append(Call(call.args, {**call.kwargs, name: tuple(sizes)}))
    if function == "broadcast_to":
        function, told = "tile", [Call(call.args, {"multiples": call.kwargs["shape"]}) for call in told]
    item: dict[str, Json] = {"class_name": layer.kind, "config": {"function": function}}
    made = tensorflow_operation(item, tuple(told), merging=merging)
    if made.problem is not None:
        return layer
    return replace(layer, kind=made.kind, config=made.config, inbound=made.calls, known=True, problem=None)


def _with_index(call: Call, values: Values) -> Call | None:
    """An index with its sizes filled in; None where one of them is not known."""
    if len(call.args) < 2 or not Call(call.args[1:]).inputs:
        return call

    def filled(value: Argument) -> Argument:
        if isinstance(value, tuple):
            return tuple(filled(item) for item in value)
        if isinstance(value, Mapping):
            return {key: filled(item) for key, item in value.items()}
        known = values.get(value) if isinstance(value, TensorRef) else None
        return known if isinstance(known, int) else value

    index = filled(call.args[1])
    return None if Call((index,)).inputs else Call((call.args[0], index))


def _numbers(taken: tuple[Value, ...], _: Shape) -> list[int] | None:
    sizes = [size for size in taken if isinstance(size, int)]
    return sizes if len(sizes) == len(taken) else None


def _reshaped(taken: tuple[Value, ...], _: Shape) -> list[int] | None:
    """The target of a reshape that leaves the batch alone, one open size as -1."""
    if not taken or taken[0] not in (_Size.BATCH, -1):
        return None
    rest = [-1 if size is _Size.OPEN else size for size in taken[1:]]
    sizes = [size for size in rest if isinstance(size, int)]
    return [-1, *sizes] if len(sizes) == len(rest) and sizes.count(-1) <= 1 else None


def _repeats(taken: tuple[Value, ...], source: Shape) -> list[int] | None:
    """How often each axis is repeated to reach a target that the source broadcasts to."""
    if len(source) != len(taken) or taken[0] is not _Size.BATCH:
        return None
    repeats = [1]
    for have, want in zip(source[1:], taken[1:], strict=True):
        if have is None or not isinstance(want, int) or have not in (1, want):
            return None
        repeats.append(want // have if have else 1)
    return repeats


_USING: Final[dict[str, tuple[str, Callable[[tuple[Value, ...], Shape], Sequence[int] | None]]]] = {
    "reshape": ("shape", _reshaped),
    "broadcast_to": ("shape", _repeats),
    "tile": ("multiples", _numbers),
    "image.resize": ("size", _numbers),
}
"""TensorFlow function -> its argument that holds sizes, and what they come to; None where that is not known."""


def _without(spec: ModelSpec, names: set[str]) -> ModelSpec:
    """``spec`` without those of the named layers that nothing takes any more."""
    layers = spec.layers
    while True:
        used = {ref.layer for layer in layers for call in layer.inbound for ref in call.inputs}
        used |= {ref.layer for ref in spec.outputs}
        kept = tuple(layer for layer in layers if layer.name in used or layer.name not in names)
        if kept == layers:
            return replace(spec, layers=layers)
        layers = kept

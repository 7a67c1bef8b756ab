"""From layer specs to fresh, unbuilt Keras objects, with everything that stands against it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import keras

from analyzers.building.checks import MAX_RANK, RefusedError, integer, listed, optional, shown
from analyzers.building.layers import LAYERS, legal_name, make_layer
from analyzers.building.objects import DTYPES
from analyzers.building.ops import OPERATIONS, make_operation
from analyzers.errors import InputError
from analyzers.spec import Call, LayerSpec, ModelSpec, Shape
from analyzers.spec.flatten import flatten
from analyzers.spec.shapes import infer_shapes, merges
from analyzers.spec.windows import spatial_axes

MAX_LAYERS: Final = 5_000
MAX_INPUTS: Final = 256
"""Tensors that one call may take."""
MAX_UNROLLED: Final = 512
"""Steps of a loop that is written out in the graph."""
MAX_INPUT_ELEMENTS: Final = 2**24
"""Elements of one sample of one input."""
MAX_TENSOR_ELEMENTS: Final = 2**30
"""Elements of one sample of any tensor, whatever memory the plan allows."""

_WINDOWS: Final = ("kernel_size", "pool_size", "strides", "dilation_rate")
_SMALL: Final = 64
"""Length of a side that is not known; windows of up to this are never too large."""

Problem = tuple[str, str]


class Unbuildable(Exception):  # noqa: N818 - the state of a spec, not a fault
    """A spec that the builder refuses.

    Args:
        problems: (path, reason) pairs; the path is empty where the whole model is meant.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{path}: {reason}" for path, reason in problems[:5]))


@dataclass
class Parts:
    """Fresh, unbuilt parts by path, and what could not be made."""

    made: dict[str, keras.Operation] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def problems(spec: ModelSpec) -> tuple[Problem, ...]:
    """Everything that keeps ``spec`` from being built, as (path, reason) pairs; nothing is built.

    What only shows when shapes meet (a Dense layer on an unknown width, say) shows in ``build``.
    """
    return tuple(make_parts(spec, {}).problems)


def make_parts(spec: ModelSpec, input_shapes: Mapping[str, Shape]) -> Parts:
    """Make every layer and operation of a spec, nested ones included; InputLayers and models are left out."""
    parts = Parts()
    layers = list(spec.walk())
    if len(layers) > MAX_LAYERS:
        parts.problems.append(("", f"{len(layers)} layers, more than {MAX_LAYERS}"))
        return parts
    for layer in layers:
        try:
            part = _part(layer)
        except RefusedError as refusal:
            parts.problems.append((layer.path, refusal.reason))
        else:
            if part is not None:
                parts.made[layer.path] = part
    if not parts.problems:
        parts.problems.extend(_shape_problems(spec, input_shapes))
    return parts


def is_operation(layer: LayerSpec) -> bool:
    """Whether ``layer`` is an op node rather than a layer; some kinds name both."""
    if layer.kind not in OPERATIONS:
        return False
    if layer.kind not in LAYERS:
        return True
    return not all(call.args and merges(call.args[0]) for call in layer.inbound)


def _part(layer: LayerSpec) -> keras.Operation | None:
    if not layer.known:
        raise RefusedError(layer.problem or f"{shown(layer.kind)} is not a layer that unstuck knows")
    for call in layer.inbound:
        if len(call.inputs) > MAX_INPUTS:
            raise RefusedError(f"it takes {len(call.inputs)} tensors, more than {MAX_INPUTS}")
    if layer.model is not None:
        return None
    if layer.kind == "InputLayer":
        input_shape(layer)
        return None
    if is_operation(layer):
        return make_operation(layer.kind, layer.config, legal_name(layer.name))
    return make_layer(layer.kind, layer.config, legal_name(layer.name), trainable=layer.trainable)


def input_shape(layer: LayerSpec) -> Shape:
    """The batch shape of an InputLayer.

    Raises:
        RefusedError: its shape or dtype is none that is built.
    """
    shape: Shape = listed(optional(integer(0)), 1, MAX_RANK)(layer.config.get("batch_shape"))
    if layer.config.get("dtype", "float32") not in DTYPES:
        raise RefusedError(f"inputs of dtype {shown(layer.config['dtype'])} are not built")
    return shape


def _shape_problems(spec: ModelSpec, input_shapes: Mapping[str, Shape]) -> Iterator[Problem]:
    """Sizes that no honest network has, by shape inference on the flat graph."""
    try:
        flat = flatten(spec)
        shapes = infer_shapes(spec, input_shapes)
    except InputError as error:
        yield "", error.detail
        return
    by_name = {layer.name: layer for layer in flat.layers}
    for layer in flat.layers:
        for number in range(max(len(layer.inbound), 1)):
            for shape in shapes.get((layer.path, number), ()):
                limit = MAX_TENSOR_ELEMENTS if layer.inbound else MAX_INPUT_ELEMENTS
                if (elements := math.prod(dim or 1 for dim in shape[1:])) > limit:
                    yield layer.path, f"a tensor of {elements} elements a sample, more than {limit}"
        for number, call in enumerate(layer.inbound):
            if (taken := _first_input(call, by_name, shapes)) is not None:
                yield from _call_problems(layer, taken)
            if not shapes.get((layer.path, number)) and all(
                shapes.get((by_name[ref.layer].path, ref.call)) for ref in call.inputs
            ):
                yield layer.path, "what it makes of its inputs cannot be told: its settings do not fit them"


def _first_input(
    call: Call, by_name: Mapping[str, LayerSpec], shapes: Mapping[tuple[str, int], tuple[Shape, ...]]
) -> Shape | None:
    for ref in call.inputs[:1]:
        outputs = shapes.get((by_name[ref.layer].path, ref.call), ())
        if ref.index < len(outputs):
            return outputs[ref.index]
    return None


def _call_problems(layer: LayerSpec, shape: Shape) -> Iterator[Problem]:
    """Windows far beyond the map they slide over, loops written out too often."""
    sides = [shape[axis] or _SMALL for axis in spatial_axes(layer.config, len(shape) - 2)]
    limit = 4 * max(sides, default=_SMALL)
    for name in _WINDOWS:
        value = layer.config.get(name)
        for size in value if isinstance(value, list | tuple) else (value,):
            if isinstance(size, int) and size > max(limit, _SMALL):
                yield layer.path, f"{name} {size} is too large for a map of shape {shape[1:]}"
    unrolled = layer.kind == "TimeDistributed" or layer.config.get("unroll") is True
    if unrolled and len(shape) > 1 and shape[1] is not None and shape[1] > MAX_UNROLLED:
        yield layer.path, f"a loop of {shape[1]} steps is written out, more than {MAX_UNROLLED}"

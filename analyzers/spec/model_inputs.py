"""What a model's inputs look like, judged by their shape and by who consumes them first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from analyzers.spec import Shape, kinds
from analyzers.spec.graph import Graph, Node, once
from analyzers.spec.roles import core, is_image_layer, is_weighted, keeps_scale, normalizes

Kind = Literal["image", "sequence", "tokens", "table", "other"]

IMAGE_CHANNELS: Final = frozenset({1, 3, 4})
"""Channels of photographs: grey, colour, colour with transparency."""

SMALLEST_IMAGE: Final = 8
"""Shortest side of what is taken for an image; below that it is a feature map or a board."""

SMALLEST_FLAT_IMAGE: Final = 16
"""The same for an image without a channel axis, which a window of a time series resembles."""

LEAST_ASPECT: Final = 0.75
"""Shorter over longer side of an image without a channel axis."""


@dataclass(frozen=True)
class ModelInput:
    """One input of the model: its node, batch shape, dtype name and what it looks like."""

    node: Node
    name: str
    shape: Shape
    dtype: str
    kind: Kind


@once
def model_inputs(graph: Graph) -> tuple[ModelInput, ...]:
    """The model's inputs in its own order."""
    return tuple(_model_input(graph, node) for node in graph.inputs)


def _model_input(graph: Graph, node: Node) -> ModelInput:
    layer = graph.layer(node)
    raw = layer.config.get("batch_shape")
    sizes = raw if isinstance(raw, list | tuple) else []
    shape = tuple(size if isinstance(size, int) else None for size in sizes)
    dtype = str(layer.config.get("dtype", "float32"))
    return ModelInput(node, layer.path, shape, dtype, _kind(graph, node, shape))


def _kind(graph: Graph, node: Node, shape: Shape) -> Kind:
    first = [
        core(graph.layer(n))
        for n in graph.frontier(node, lambda layer: is_weighted(layer) or not layer.known)
    ]
    if any(layer.kind == "Embedding" for layer in first):
        return "tokens"
    if len(shape) == 4 and _is_image(shape):
        return "image"
    if len(shape) == 3 and _flattened_image(graph, node, shape):
        return "image"
    if len(shape) == 3:
        return "sequence"
    return "table" if len(shape) == 2 else "other"


def _is_image(shape: Shape) -> bool:
    """Whether (batch, height, width, channels), or channels first, is that of a photograph."""
    for channels, sides in ((shape[3], shape[1:3]), (shape[1], shape[2:4])):
        if channels in IMAGE_CHANNELS and all(side is None or side >= SMALLEST_IMAGE for side in sides):
            return True
    return False


def _flattened_image(graph: Graph, node: Node, shape: Shape) -> bool:
    """Whether a (batch, height, width) input is flattened or gets a channel axis, as grey images are.

    A sequence of vectors has as many axes, but goes to a recurrent or one-dimensional layer, and is
    seldom as wide as it is long.
    """
    sides = [side or 0 for side in shape[1:]]
    if min(sides) < SMALLEST_FLAT_IMAGE or min(sides) < LEAST_ASPECT * max(sides):
        return False
    ends: set[str] = set()
    for consumer in graph.frontier(node, lambda layer: layer.kind in _SHAPERS or is_weighted(layer)):
        ends.add("image" if graph.layer(consumer).kind == "Flatten" else "")
        if graph.layer(consumer).kind in _SHAPERS - {"Flatten"}:
            following = graph.frontier(consumer, is_weighted)
            ends.add("image" if any(is_image_layer(graph.layer(n)) for n in following) else "")
    return "image" in ends


_SHAPERS: Final = frozenset({"Flatten", "Reshape", "ExpandDims"})


def scale_is_unknown(graph: Graph, start: Node) -> tuple[str, ...]:
    """Paths of unknown layers that an input enters before any weights: they may scale it or not."""
    stack, seen, found = [start], set[Node](), []
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if not graph.layer(node).known and not normalizes(graph.layer(node)):
            found.append(node.path)
        elif keeps_scale(graph, node) or graph.layer(node).kind in kinds.PREPROCESSING:
            stack.extend(graph.after(node))
    return tuple(dict.fromkeys(found))

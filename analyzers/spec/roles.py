"""What a node of the flat graph does to the numbers that pass through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from analyzers.spec import Call, Json, LayerSpec, kinds, operations
from analyzers.spec.graph import Graph, Node, once

CONSTANT_ARITHMETIC: Final = frozenset({"Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Negative"})
"""Operations that, with numbers as their other operand, are an affine map (``x / 255.0``)."""

_NEUTRAL: Final = operations.REORDERING | kinds.RESHAPES | kinds.POOLING | kinds.DROPOUTS | kinds.GEOMETRY | frozenset(
    {"InputLayer", "GaussianNoise", "ActivityRegularization", "Masking", "Identity", "UpSampling1D",
     "UpSampling2D", "UpSampling3D", "GetItem", "Transpose", "ExpandDims", "Squeeze", "Cast", "Mean", "Max",
     "Min",
     "Concatenate", "Average", "Maximum", "Minimum", "Add", "Subtract"}
)  # fmt: skip


_WRAPPERS: Final = frozenset({"TimeDistributed", "SpectralNormalization"})


def core(layer: LayerSpec) -> LayerSpec:
    """The layer that does the work: what TimeDistributed or SpectralNormalization wraps, else the layer itself."""
    inner = layer.config.get("layer") if layer.kind in _WRAPPERS else None
    if not isinstance(inner, dict):
        return layer
    return core(wrapped(layer, inner))


def is_weighted(layer: LayerSpec) -> bool:
    """Whether the layer multiplies by a learnt kernel."""
    return core(layer).kind in kinds.WEIGHTED


def is_image_layer(layer: LayerSpec) -> bool:
    """Whether the layer is a two-dimensional convolution of some kind."""
    return core(layer).kind in kinds.CONVOLUTIONS and "2D" in core(layer).kind


def normalizes(layer: LayerSpec) -> bool:
    """Whether the layer brings its input to a fixed scale, taken from the data that it sees."""
    return core(layer).kind in kinds.NORMALIZATIONS


def activation(layer: LayerSpec) -> str | None:
    """The activation that a layer ends in, TimeDistributed looked through; None where it has none."""
    return kinds.activation_name(core(layer))


def is_nonlinear(layer: LayerSpec) -> bool:
    """Whether the layer ends in an activation that is not the identity."""
    return activation(layer) not in (None, "linear")


_BENDING: Final = operations.BENDING | kinds.RECURRENT | kinds.ATTENTION | (kinds.NORMALIZATIONS - {"BatchNormalization"}) | frozenset(
    {kind for kind in kinds.POOLING if "Max" in kind}
    | {"Maximum", "Minimum", "Dot", "CategoryEncoding", "Discretization", "Hashing"}
)  # fmt: skip
"""Layers and operations whose output is no linear function of their input, whatever their settings."""


def bends(graph: Graph, node: Node) -> bool:
    """Whether a node's output is no linear function of its inputs; an unknown layer may be anything."""
    layer = core(graph.layer(node))
    if not layer.known or is_nonlinear(layer) or layer.kind in _BENDING:
        return True
    return layer.kind in operations.PRODUCTS and len(call_of(graph, node).inputs) > 1


def recurrent_parts(layer: LayerSpec) -> tuple[LayerSpec, ...]:
    """The recurrent layers that a layer is: itself, or the one or two inside Bidirectional."""
    if layer.kind == "Bidirectional":
        inner = (layer.config.get("layer"), layer.config.get("backward_layer"))
        return tuple(wrapped(layer, one) for one in inner if isinstance(one, dict))
    return (layer,) if layer.kind in kinds.RECURRENT - {"RNN"} else ()


def wrapped(layer: LayerSpec, inner: Mapping[str, Json]) -> LayerSpec:
    """The layer that a wrapper's setting describes, under the wrapper's name and path."""
    config = inner.get("config")
    return replace(layer, kind=str(inner.get("kind", "")), config=config if isinstance(config, dict) else {})


def width(layer: LayerSpec) -> int | None:
    """Units or filters that a dense or convolutional layer has, TimeDistributed looked through."""
    config = core(layer).config
    value = config.get("units", config.get("filters"))
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def carried(graph: Graph, node: Node) -> int | None:
    """How many numbers a dense or convolutional layer has for each answer of the model.

    The units, and for convolutions the filters at all positions; in a model that answers at every
    position those of one position.  None where a size is open or unknown.
    """
    answers = [len(graph.output_shape(output)) for output in graph.outputs]
    return width(graph.layer(node)) if min(answers, default=0) > 2 else graph.numbers(node)


def call_of(graph: Graph, node: Node) -> Call:
    """The call that a node stands for; an empty one for an InputLayer."""
    inbound = graph.layer(node).inbound
    return inbound[node.call] if inbound else Call(())


def is_scaling(graph: Graph, node: Node) -> bool:
    """Whether the node applies a fixed affine map: Rescaling, Normalization, arithmetic with numbers."""
    kind = graph.layer(node).kind
    if kind in kinds.SCALING:
        return True
    return kind in CONSTANT_ARITHMETIC and len(call_of(graph, node).inputs) == 1


def keeps_scale(graph: Graph, node: Node) -> bool:
    """Whether numbers leave the node on the scale on which they came: no weights, no normalisation.

    Unknown layers answer False: what a Lambda does to the scale is not known.
    """
    layer = graph.layer(node)
    if not layer.known or is_scaling(graph, node):
        return False
    if layer.kind in _NEUTRAL or layer.kind in kinds.AUGMENTATIONS:
        return True
    return activation(layer) in ("linear", *kinds.RELU_LIKE) and not is_weighted(layer)


def uses(graph: Graph, layer: LayerSpec) -> tuple[Node, ...]:
    """The nodes of a layer, one a call."""
    return tuple(Node(layer.path, call) for call in range(max(len(layer.inbound), 1)))


def is_head(graph: Graph, layer: LayerSpec) -> bool:
    """Whether an output of the model is reached from the layer with no further weights on the way."""
    found = _last(graph)
    return any(node in found for node in uses(graph, layer))


@once
def _last(graph: Graph) -> frozenset[Node]:
    """Every node from which an output is reached with no weights behind it, in one pass from the outputs."""
    found = set(graph.outputs)
    for node in reversed(graph.nodes):
        if any(one in found and not is_weighted(graph.layer(one)) for one in graph.after(node)):
            found.add(node)
    return frozenset(found)


def reached(graph: Graph, start: Node, through: frozenset[Node] | None = None) -> tuple[Node, ...]:
    """Weighted nodes that ``start``'s numbers reach on their own scale, in the graph's order.

    Args:
        graph: the flat graph.
        start: usually an input.
        through: nodes that may be passed beside those that keep the scale.
    """
    found: set[Node] = set()
    seen: set[Node] = set()
    stack = [start]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if is_weighted(graph.layer(node)):
            found.add(node)
        elif keeps_scale(graph, node) or (through is not None and node in through):
            stack.extend(graph.after(node))
    return tuple(node for node in graph.nodes if node in found)


def walk_on(graph: Graph, start: Node) -> tuple[Node, ...]:
    """Every node that ``start``'s numbers enter on their own scale, the ends of the walk included."""
    seen: set[Node] = set()
    stack = [start]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            if keeps_scale(graph, node):
                stack.extend(graph.after(node))
    return tuple(node for node in graph.nodes if node in seen)


def normalized_next(graph: Graph, node: Node) -> bool:
    """Whether a normalisation follows on every way from ``node`` to the next weighted layer or output."""
    return node in normalized_behind(graph)


@once
def normalized_behind(graph: Graph) -> frozenset[Node]:
    """Every node for which `normalized_next` holds, in one pass from the outputs."""
    outputs = frozenset(graph.outputs)
    safe: set[Node] = set()
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        layer, following = graph.layer(node), graph.after(node)
        leads = all(one in safe for one in following)
        if normalizes(layer) or (leads and node not in outputs and keeps_scale(graph, node)):
            safe.add(node)
        if leads and following and not is_nonlinear(layer):
            found.add(node)
    return frozenset(found)

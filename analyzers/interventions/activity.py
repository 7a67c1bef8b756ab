"""Which activation a layer's output goes through, and which layers an intervention may touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from analyzers.spec import LayerSpec, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import activation, core, is_weighted, normalizes, uses

MATRICES: Final = kinds.CONVOLUTIONS | {"Dense", "EinsumDense"}
"""Layers with one product of input and kernel, behind which an activation follows."""


def trainable(graph: Graph, wanted: Callable[[LayerSpec], bool]) -> tuple[LayerSpec, ...]:
    """The flat layers that satisfy ``wanted`` and are not frozen, themselves or by an enclosing model.

    Frozen layers were trained elsewhere: what is behind them counts on their output as it is.
    """
    return tuple(layer for layer in graph.flat.layers if layer.trainable and layer.known and wanted(layer))


def effective_activation(graph: Graph, layer: LayerSpec) -> str:
    """The activation that a layer's output meets before the next weights: its own, or a later layer's.

    Normalisation, dropout, pooling, reshaping and merging are passed; ``"linear"`` where none is met.
    """
    for node in uses(graph, layer):
        for one in (node, *_until_weights(graph, node)):
            if (name := activation(graph.layer(one))) not in (None, "linear"):
                return str(name)
    return "linear"


def _until_weights(graph: Graph, start: Node) -> Iterator[Node]:
    """The nodes behind ``start`` as far as the next weighted layers or activations, nearest first."""
    queue, seen = list(graph.after(start)), {start}
    while queue:
        node = queue.pop(0)
        if node in seen or is_weighted(graph.layer(node)):
            continue
        seen.add(node)
        yield node
        if activation(graph.layer(node)) in (None, "linear"):
            queue.extend(graph.after(node))


def is_normalized(graph: Graph, layer: LayerSpec) -> bool:
    """Whether a normalisation stands on every way from each use of the layer to the next weights or output."""
    return all(_normalized_behind(graph, node) for node in uses(graph, layer))


def _normalized_behind(graph: Graph, start: Node) -> bool:
    stack, seen = [start], set[Node]()
    while stack:
        node = stack.pop()
        if node in graph.outputs:
            return False
        for one in graph.after(node):
            if one in seen or normalizes(graph.layer(one)):
                continue
            if is_weighted(graph.layer(one)):
                return False
            seen.add(one)
            stack.append(one)
    return True


def is_matrix(layer: LayerSpec) -> bool:
    """Whether the layer, or the one that TimeDistributed wraps, is a convolution or dense layer."""
    return core(layer).kind in MATRICES

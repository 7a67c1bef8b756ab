"""Whether the input can still reach the output when some nodes let nothing through."""

from __future__ import annotations

from collections.abc import Set

from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import is_weighted


def constant_everywhere(graph: Graph, constant: Set[Node]) -> frozenset[Node]:
    """Every node whose output cannot vary, given nodes that are known to be constant.

    An unknown layer counts as varying, since what it computes is not in the file.
    """
    found: set[Node] = set()
    for node in graph.nodes:
        before = graph.before(node)
        known = graph.layer(node).known
        if node in constant or (known and before and all(n in found for n in before)):
            found.add(node)
    return frozenset(found)


def separates(graph: Graph, paths: Set[str]) -> bool:
    """Whether every way from the model's inputs to its outputs leads through one of the layers."""
    start = [node for node in graph.inputs if node.path not in paths]
    passed = graph.reachable(start, lambda node: (n for n in graph.after(node) if n.path not in paths))
    return not any(node in passed for node in graph.outputs)


def feeds_only(graph: Graph, output: Node) -> list[str]:
    """Paths of the trainable weighted layers whose every way to an output ends in ``output``."""
    others = [node for node in graph.outputs if node != output]
    shared = graph.reachable(others, graph.before)
    own = graph.reachable([output], graph.before) - shared
    layers = (graph.layer(node) for node in graph.nodes if node in own)
    return list(dict.fromkeys(layer.path for layer in layers if layer.trainable and is_weighted(layer)))

"""Graph questions: who feeds whom, what lies on every path, what comes first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, TypeVar

from analyzers.spec.cost import Cost, cost_of
from analyzers.spec.flatten import call_order, flatten
from analyzers.spec.model import LayerSpec, ModelSpec, Shape, TensorRef
from analyzers.spec.shapes import shapes_in_order
from analyzers.spec.statistics import Statistics
from analyzers.spec.weights import TensorInfo

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Node:
    """One call of one layer in the flat graph."""

    path: str
    call: int = 0


class Graph:
    """The flat graph of a model: nodes are layer calls, edges tensors.

    Args:
        spec: the model; nested models are opened (``analyzers.spec.flatten``).

    Attributes:
        flat: the flat spec.
        nodes: every node, producers before consumers.
        inputs, outputs: the nodes of the model's inputs and outputs, in the model's order.
        answers: what was worked out of it already (`once`).
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.flat = flatten(spec)
        self.answers: dict[Callable[[Graph], Any], Any] = {}
        self._by_name = {layer.name: layer for layer in self.flat.layers}
        self._by_path = {layer.path: layer for layer in self.flat.layers}
        self._order = call_order(self.flat)
        self.nodes = tuple(Node(self._by_name[name].path, call) for name, call in self._order)
        self.inputs = tuple(self._node(ref) for ref in self.flat.inputs)
        self.outputs = tuple(self._node(ref) for ref in self.flat.outputs)
        self._position = {node: number for number, node in enumerate(self.nodes)}
        self._before: dict[Node, tuple[Node, ...]] = {}
        after: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            inbound = self.layer(node).inbound
            feeds = inbound[node.call].inputs if inbound else ()
            self._before[node] = tuple(dict.fromkeys(self._node(ref) for ref in feeds))
            for producer in self._before[node]:
                after[producer].append(node)
        self._after = {node: tuple(consumers) for node, consumers in after.items()}

    def _node(self, ref: TensorRef) -> Node:
        return Node(self._by_name[ref.layer].path, ref.call)

    def layer(self, node: Node | str) -> LayerSpec:
        """The (flat) layer of a node or path."""
        return self._by_path[node.path if isinstance(node, Node) else node]

    @cached_property
    def tensors(self) -> Mapping[str, Mapping[str, TensorInfo]]:
        """The saved weights of each layer: path -> role -> tensor."""
        found: dict[str, dict[str, TensorInfo]] = {}
        for info in self.flat.weights.tensors:
            found.setdefault(info.layer, {})[info.role] = info
        return found

    @cached_property
    def statistics(self) -> Statistics:
        """Summaries of the saved tensors, each made once."""
        return Statistics(self.flat.weights)

    def in_order(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        """The nodes, each once, producers before consumers."""
        return tuple(sorted(set(nodes), key=self._position.__getitem__))

    def before(self, node: Node) -> tuple[Node, ...]:
        """The nodes whose outputs a node consumes."""
        return self._before[node]

    def after(self, node: Node) -> tuple[Node, ...]:
        """The nodes that consume a node's output."""
        return self._after[node]

    def reachable(self, start: Iterable[Node], step: Callable[[Node], Iterable[Node]]) -> frozenset[Node]:
        """Every node reached from ``start`` by ``step`` (`before` or `after`), the start included."""
        seen: set[Node] = set()
        stack = list(start)
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack.extend(step(node))
        return frozenset(seen)

    def frontier(self, start: Node, stop: Callable[[LayerSpec], bool]) -> tuple[Node, ...]:
        """The first nodes at or after ``start`` on each path whose layer satisfies ``stop``, in order."""
        found: set[Node] = set()
        seen: set[Node] = set()
        stack = [start]
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if stop(self.layer(node)):
                found.add(node)
            else:
                stack.extend(self.after(node))
        return self.in_order(found)

    def between(self, start: Node, end: Node) -> tuple[Node, ...]:
        """Every node on any path from ``start`` to ``end``, both included, producers first."""
        forward = self.reachable([start], self.after)
        backward = self.reachable([end], self.before)
        return self.in_order(forward & backward)

    def avoidable(self, start: Node, end: Node, through: Callable[[LayerSpec], bool]) -> bool:
        """Whether some path leads from ``start`` to ``end`` past every layer that satisfies ``through``."""

        def step(node: Node) -> Iterable[Node]:
            return (n for n in self.after(node) if n == end or not through(self.layer(n)))

        return end in self.reachable([start], step)

    @cached_property
    def shapes(self) -> Mapping[tuple[str, int], tuple[Shape, ...]]:
        """Output shapes of every node by (path, call); ``()`` where unknown (`analyzers.spec.shapes`)."""
        return shapes_in_order(self.flat, self._order)

    @cached_property
    def cost(self) -> Cost:
        """What one forward pass of one sample costs (`analyzers.spec.cost`)."""
        return cost_of(self.flat, self.shapes)

    def output_shape(self, node: Node) -> Shape:
        """Shape of a node's first output, batch axis first; ``()`` where it is not known."""
        found = self.shapes.get((node.path, node.call), ())
        return found[0] if found else ()

    def numbers(self, node: Node) -> int | None:
        """How many numbers a sample's first output of a node has; None where a size is open or unknown."""
        sizes = self.output_shape(node)[1:]
        return math.prod(size or 0 for size in sizes) if sizes and None not in sizes else None

    @cached_property
    def depth(self) -> dict[Node, int]:
        """Length in nodes of the longest path from an input to each node; inputs have 0."""
        depth: dict[Node, int] = {}
        for node in self.nodes:
            depth[node] = 1 + max((depth[n] for n in self.before(node)), default=-1)
        return depth


def once(question: Callable[[Graph], _Answer]) -> Callable[[Graph], _Answer]:
    """A question whose answer is kept with the graph: whoever asks again gets the same."""

    @wraps(question)
    def answer(graph: Graph) -> _Answer:
        if question not in graph.answers:
            graph.answers[question] = question(graph)
        found: _Answer = graph.answers[question]
        return found

    return answer

"""Graph questions on a small diamond: x -> a -> (b, c) -> d, and x -> e beside it."""

from __future__ import annotations

import pytest

from analyzers.spec import Call, LayerSpec, ModelSpec, TensorRef
from analyzers.spec.graph import Graph, Node


@pytest.fixture
def graph() -> Graph:
    def layer(name: str, kind: str, *sources: str) -> LayerSpec:
        refs = tuple(TensorRef(source) for source in sources)
        calls = (Call(refs if len(refs) == 1 else (refs,)),) if refs else ()
        return LayerSpec(name, kind, {"batch_shape": [None, 4]} if not refs else {}, calls, path=name)

    layers = (
        layer("x", "InputLayer"),
        layer("a", "Dense", "x"),
        layer("b", "ReLU", "a"),
        layer("c", "Dense", "a"),
        layer("d", "Add", "b", "c"),
        layer("e", "Dense", "x"),
    )
    return Graph(ModelSpec("m", "functional", layers, (TensorRef("x"),), (TensorRef("d"), TensorRef("e"))))


def _names(nodes: object) -> list[str]:
    return [node.path for node in nodes]  # type: ignore[attr-defined]


def test_nodes_inputs_and_outputs(graph: Graph) -> None:
    order = _names(graph.nodes)
    assert sorted(order) == ["a", "b", "c", "d", "e", "x"]
    assert order.index("a") < order.index("b") < order.index("d")
    assert _names(graph.inputs) == ["x"]
    assert _names(graph.outputs) == ["d", "e"]


def test_neighbours(graph: Graph) -> None:
    assert _names(graph.before(Node("d"))) == ["b", "c"]
    assert sorted(_names(graph.after(Node("x")))) == ["a", "e"]
    assert graph.layer("d").kind == graph.layer(Node("d")).kind == "Add"


def test_reachable_between_and_avoidable(graph: Graph) -> None:
    assert graph.reachable([Node("c")], graph.after) == {Node("c"), Node("d")}
    assert _names(graph.between(Node("a"), Node("d")))[0] == "a"
    assert set(_names(graph.between(Node("a"), Node("d")))) == {"a", "b", "c", "d"}
    assert graph.avoidable(Node("x"), Node("d"), lambda layer: layer.kind == "ReLU")
    assert not graph.avoidable(Node("x"), Node("d"), lambda layer: layer.path == "a")


def test_frontier_stops_at_the_first_on_each_path(graph: Graph) -> None:
    assert sorted(_names(graph.frontier(Node("x"), lambda layer: layer.kind == "Dense"))) == ["a", "e"]
    assert sorted(_names(graph.frontier(Node("b"), lambda layer: layer.kind == "Add"))) == ["d"]


def test_depth_is_the_longest_path(graph: Graph) -> None:
    assert {node.path: depth for node, depth in graph.depth.items()} == {
        "x": 0,
        "a": 1,
        "b": 2,
        "c": 2,
        "d": 3,
        "e": 1,
    }

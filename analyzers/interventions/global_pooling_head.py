"""Average a feature map over its positions in front of the dense head."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import Insertion, NewLayer, by_path, change_layers, insert
from analyzers.spec import Json, LayerSpec, ModelSpec, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.output_heads import dense_map, heads, is_shrunk
from analyzers.spec.roles import activation, core, is_weighted


class GlobalPoolingHead(Intervention):
    """Replace Flatten in front of dense layers by global average pooling, or put it where it is missing.

    The dense layers behind get another number of inputs, so that their saved weights are drawn anew.
    """

    id: ClassVar[str] = "global-pooling-head"
    invasiveness: ClassVar[int] = 5
    moves: ClassVar[tuple[Quantity, ...]] = ("gradient_profile", "activation_scale")

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        return _instead_of_flatten(spec) or _where_missing(spec)


def _instead_of_flatten(spec: ModelSpec) -> Applied | None:
    graph = Graph(spec)
    flattened = [node for node in graph.nodes if graph.layer(node).kind == "Flatten" and _is_map(graph, node)]
    behind = {node: _behind(graph, node) for node in flattened}
    chosen = {node.path: node for node in flattened if behind[node]}
    if not chosen:
        return None
    layers = by_path(spec, lambda layer: layer.path in chosen)
    changed = {
        path: _pooling(layer, graph.output_shape(graph.before(chosen[path])[0]))
        for path, layer in layers.items()
    }
    fresh = frozenset(path for node in chosen.values() for path in behind[node])
    return Applied(
        change_layers(spec, changed),
        tuple(changed),
        f"Average the feature map over its positions in {', '.join(changed)} instead of flattening it.",
        fresh=fresh,
    )


def _is_map(graph: Graph, node: Node) -> bool:
    """Whether a Flatten, called once, gets a map that convolutions made and that has positions."""
    before = graph.before(node)
    shape = graph.output_shape(before[0]) if len(before) == 1 else ()
    if not 3 <= len(shape) <= 5 or set(shape[1:-1]) == {1} or len(graph.layer(node).inbound) != 1:
        return False
    return any(
        core(graph.layer(one)).kind in kinds.CONVOLUTIONS for one in graph.reachable(before, graph.before)
    )


def _behind(graph: Graph, node: Node) -> list[str]:
    """The layers behind a Flatten whose weights depend on its width, as far as dense ones.

    Empty where something else would not fit any more.
    """
    found: list[str] = []
    stack = list(graph.after(node))
    while stack:
        one = stack.pop()
        layer = graph.layer(one)
        if is_weighted(layer):
            if core(layer).kind != "Dense":
                return []
            found.append(one.path)
        elif (
            layer.kind == "BatchNormalization"
            or layer.kind in kinds.DROPOUTS
            or activation(layer) is not None
        ):
            found += [one.path] if layer.kind in ("BatchNormalization", "PReLU") else []
            stack.extend(graph.after(one))
        else:
            return []
    return found


def _pooling(layer: LayerSpec, shape: tuple[int | None, ...]) -> LayerSpec:
    kind, config = _pooled(len(shape) - 2, layer.config)
    return replace(layer, kind=kind, config=config)


def _pooled(rank: int, config: object) -> tuple[str, dict[str, Json]]:
    given = config if isinstance(config, dict) else {}
    return f"GlobalAveragePooling{rank}D", {
        "data_format": given.get("data_format") or "channels_last",
        "keepdims": False,
        "dtype": given.get("dtype", "float32"),
    }


def _where_missing(spec: ModelSpec) -> Applied | None:
    """Pooling in front of the first dense layer of an output over a map that was made smaller."""
    graph = Graph(spec)
    insertions: dict[str, Insertion] = {}
    for head in heads(graph, spec.training):
        maker = dense_map(graph, head)
        if maker is None or not head.classifies or not is_shrunk(graph, maker):
            continue
        first = maker
        while len(before := graph.before(first)) == 1 and _is_dense_part(graph.layer(before[0])):
            first = before[0]
        if len(before) == 1:
            kind, config = _pooled(len(graph.output_shape(maker)) - 2, {})
            new = NewLayer("global_average_pooling", kind, config)
            same = first.path.rpartition("/")[0] == before[0].path.rpartition("/")[0]
            insertions[before[0].path] = Insertion(
                (new,), frozenset({first.path.rpartition("/")[2]}) if same else None
            )
    if not insertions:
        return None
    changed, added = insert(spec, insertions)
    return Applied(changed, added, "Average the feature map over its positions in front of the dense head.")


def _is_dense_part(layer: LayerSpec) -> bool:
    return core(layer).kind in {"Dense", "Activation", "BatchNormalization"} | kinds.DROPOUTS | set(
        kinds.ACTIVATION_LAYERS
    )

"""Put shortcuts round hidden layers whose output has the shape of their input."""

from __future__ import annotations

from typing import ClassVar

from analyzers.interventions.activity import is_matrix, trainable
from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import Insertion, NewLayer, counted, insert
from analyzers.spec import LayerSpec, ModelSpec, kinds
from analyzers.spec.graph import Graph
from analyzers.spec.roles import is_head, is_weighted, uses


class AddSkipConnections(Intervention):
    """``x = layer(x)`` becomes ``x = x + layer(x)`` for every hidden layer that keeps its input's shape.

    Layers inside a residual block, whose output or input goes into a merge already, are left alone.
    """

    id: ClassVar[str] = "add-skip-connections"
    invasiveness: ClassVar[int] = 4
    general: ClassVar[bool] = True
    moves: ClassVar[tuple[Quantity, ...]] = ("gradient_profile",)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        graph = Graph(spec)
        chosen = [layer for layer in trainable(graph, is_matrix) if _fits(graph, layer)]
        if not chosen:
            return None
        insertions = {
            layer.path: Insertion(
                (
                    NewLayer(
                        f"{layer.path.rpartition('/')[2]}_skip",
                        "Add",
                        {"dtype": layer.config.get("dtype", "float32")},
                        joins=True,
                    ),
                )
            )
            for layer in chosen
        }
        changed, added = insert(spec, insertions)
        return Applied(changed, added, f"Add shortcuts round {counted(len(chosen), 'layer')}.")


def _fits(graph: Graph, layer: LayerSpec) -> bool:
    """Whether every use of a layer keeps a known shape, and no merge is beside it."""
    if is_head(graph, layer):
        return False
    for node in uses(graph, layer):
        before, after = graph.before(node), graph.after(node)
        shape = graph.output_shape(node)
        if len(before) != 1 or not shape or graph.output_shape(before[0]) != shape:
            return False
        following = {end for one in after for end in graph.frontier(one, _ends_a_block)}
        beside = [*following, *graph.after(before[0])]
        if any(graph.layer(one).kind in kinds.MERGES for one in beside):
            return False
    return True


def _ends_a_block(layer: LayerSpec) -> bool:
    return layer.kind in kinds.MERGES or is_weighted(layer)

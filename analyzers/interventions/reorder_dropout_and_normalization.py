"""Move dropout behind the BatchNormalization that it feeds."""

from __future__ import annotations

from typing import ClassVar

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import counted, move_behind
from analyzers.spec import ModelSpec, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import is_weighted


class ReorderDropoutAndNormalization(Intervention):
    """Dropout -> ... -> BatchNormalization becomes ... -> BatchNormalization -> Dropout.

    Only along a way without weights or branches, inside one (sub)model and between layers that are
    called once.
    """

    id: ClassVar[str] = "reorder-dropout-and-normalization"
    invasiveness: ClassVar[int] = 3
    moves: ClassVar[tuple[Quantity, ...]] = ("train_inference_gap",)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        graph = Graph(spec)
        pairs = {
            node.path: target
            for node in graph.nodes
            if graph.layer(node).kind in kinds.DROPOUTS
            and (target := _normalization(graph, node)) is not None
        }
        if not pairs:
            return None
        for moved, target in reversed(pairs.items()):
            spec = move_behind(spec, moved, target)
        return Applied(
            spec, tuple(pairs), f"Move {counted(len(pairs), 'dropout layer')} behind BatchNormalization."
        )


def _normalization(graph: Graph, dropout: Node) -> str | None:
    """Path of the BatchNormalization that a dropout feeds alone; None where it feeds none."""
    node = dropout
    while len(following := graph.after(node)) == 1 and node not in graph.outputs:
        node = following[0]
        layer = graph.layer(node)
        if len(layer.inbound) != 1 or len(graph.before(node)) != 1 or is_weighted(layer) or not layer.known:
            return None
        if layer.kind == "BatchNormalization":
            same = _parent(node) == _parent(dropout) and len(graph.layer(dropout).inbound) == 1
            return node.path if same else None
    return None


def _parent(node: Node) -> str:
    return node.path.rpartition("/")[0]

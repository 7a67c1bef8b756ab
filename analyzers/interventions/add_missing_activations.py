"""Put a ReLU behind hidden layers that have nothing nonlinear behind them."""

from __future__ import annotations

from typing import ClassVar

from analyzers.interventions.activity import effective_activation, is_matrix, is_normalized, trainable
from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import by_path, change_layers, counted, with_settings
from analyzers.spec import LayerSpec, ModelSpec
from analyzers.spec.graph import Graph
from analyzers.spec.roles import activation, bends, is_head, uses


class AddMissingActivations(Intervention):
    """Give hidden convolutions and dense layers ``activation="relu"`` where no bend follows them.

    A bend is an activation in any form before the next weights, or anything else that is not linear
    (max pooling, attention).  Layers with a normalisation behind them are left alone, as their
    activation would belong behind that.
    """

    id: ClassVar[str] = "add-missing-activations"
    invasiveness: ClassVar[int] = 4
    moves: ClassVar[tuple[Quantity, ...]] = ("activation_scale", "output_spread")

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        graph = Graph(spec)
        chosen = {layer.path for layer in trainable(graph, is_matrix) if _is_bare(graph, layer)}
        if not chosen:
            return None
        layers = by_path(spec, lambda layer: layer.path in chosen)
        changed = {path: with_settings(layer, {"activation": "relu"}) for path, layer in layers.items()}
        return Applied(
            change_layers(spec, changed),
            tuple(changed),
            f"Give {counted(len(changed), 'hidden layer')} a ReLU.",
            {"activation": "relu"},
        )


def _is_bare(graph: Graph, layer: LayerSpec) -> bool:
    if activation(layer) != "linear" or is_head(graph, layer) or is_normalized(graph, layer):
        return False
    if effective_activation(graph, layer) != "linear":
        return False
    following = (one for node in uses(graph, layer) for one in graph.after(node))
    return not any(bends(graph, one) for one in following if not is_matrix(graph.layer(one)))

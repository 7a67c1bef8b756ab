"""Take the penalties on weights and activations out."""

from __future__ import annotations

from typing import ClassVar

from analyzers.interventions.activity import trainable
from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import by_path, change_layers, counted, with_settings
from analyzers.spec import LayerSpec, ModelSpec
from analyzers.spec.graph import Graph
from analyzers.spec.roles import core


class RemoveRegularization(Intervention):
    """Set every regulariser of trainable layers to None, and ActivityRegularization to zero."""

    id: ClassVar[str] = "remove-regularization"
    invasiveness: ClassVar[int] = 3
    moves: ClassVar[tuple[Quantity, ...]] = ("update_ratio", "output_spread")

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        chosen = {layer.path for layer in trainable(Graph(spec), lambda layer: bool(_penalties(layer)))}
        if not chosen:
            return None
        layers = by_path(spec, lambda layer: layer.path in chosen)
        changed = {path: with_settings(layer, _penalties(layer)) for path, layer in layers.items()}
        return Applied(
            change_layers(spec, changed),
            tuple(changed),
            f"Remove the penalties of {counted(len(changed), 'layer')}.",
        )


def _penalties(layer: LayerSpec) -> dict[str, float | None]:
    """The settings that take a layer's penalties out; empty where it has none."""
    config = core(layer).config
    if layer.kind == "ActivityRegularization":
        return {key: 0.0 for key in ("l1", "l2") if config.get(key)}
    return {key: None for key, value in config.items() if key.endswith("_regularizer") and value is not None}

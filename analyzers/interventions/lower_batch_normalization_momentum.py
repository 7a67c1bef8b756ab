"""Let BatchNormalization's moving statistics follow faster."""

from __future__ import annotations

from typing import ClassVar, Final

from analyzers.interventions.activity import trainable
from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import by_path, change_layers, counted, with_settings
from analyzers.spec import LayerSpec, ModelSpec
from analyzers.spec.graph import Graph

MOMENTUM: Final = 0.9
"""Statistics of the last ten or so steps; Keras's default 0.99 looks back a hundred."""


class LowerBatchNormalizationMomentum(Intervention):
    """Lower the momentum of every BatchNormalization that is trained from above 0.9 to 0.9."""

    id: ClassVar[str] = "lower-batch-normalization-momentum"
    invasiveness: ClassVar[int] = 3
    moves: ClassVar[tuple[Quantity, ...]] = ("train_inference_gap",)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        chosen = {layer.path for layer in trainable(Graph(spec), _is_slow)}
        if not chosen:
            return None
        layers = by_path(spec, lambda layer: layer.path in chosen)
        changed = {path: with_settings(layer, {"momentum": MOMENTUM}) for path, layer in layers.items()}
        return Applied(
            change_layers(spec, changed),
            tuple(changed),
            f"Lower the momentum of {counted(len(changed), 'BatchNormalization layer')} to {MOMENTUM}.",
            {"momentum": MOMENTUM},
        )


def _is_slow(layer: LayerSpec) -> bool:
    momentum = layer.config.get("momentum", 0.99)
    return layer.kind == "BatchNormalization" and isinstance(momentum, int | float) and momentum > MOMENTUM

"""Let frozen layers learn."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import counted
from analyzers.spec import ModelSpec


class UnfreezeLayers(Intervention):
    """Set ``trainable=True`` on every layer and nested model that has it at False."""

    id: ClassVar[str] = "unfreeze-layers"
    invasiveness: ClassVar[int] = 3
    moves: ClassVar[tuple[Quantity, ...]] = ("gradient_profile", "output_spread")

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        frozen = tuple(layer.path for layer in spec.walk() if not layer.trainable and layer.inbound)
        if not frozen:
            return None
        return Applied(_unfrozen(spec), frozen, f"Let {counted(len(frozen), 'frozen layer')} learn.")


def _unfrozen(spec: ModelSpec) -> ModelSpec:
    layers = (
        replace(layer, trainable=True, model=None if layer.model is None else _unfrozen(layer.model))
        for layer in spec.layers
    )
    return replace(spec, layers=tuple(layers))

"""Train with Adam, whose steps suit most networks."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

from analyzers.interventions.activity import is_matrix
from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.learning_rate import shown, with_rate
from analyzers.spec import Json, ModelSpec, ObjectSpec
from analyzers.spec.graph import Graph
from analyzers.spec.learning_rates import CLIPPINGS, RANGES
from analyzers.spec.roles import normalizes

SETTINGS: Final[dict[str, Json]] = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": False}
"""Keras's defaults for Adam."""

DEEP: Final = 8
"""Matrices without any normalisation from which Adam's usual rate is too long (CASES.md, C1)."""

CAREFUL: Final = 0.1
"""Share of the usual rate that trains such networks (the same: 1e-4 where 1e-3 stays at chance)."""


class ChangeOptimizer(Intervention):
    """Replace the optimizer by Adam at its usual rate, at a tenth of it for deep networks without normalisation.

    Clipping is kept.  None where the model is trained with Adam or AdamW at their usual settings.
    """

    id: ClassVar[str] = "change-optimizer"
    invasiveness: ClassVar[int] = 1
    general: ClassVar[bool] = True
    moves: ClassVar[tuple[Quantity, ...]] = ("update_ratio",)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        optimizer = spec.training.optimizer if spec.training is not None else None
        if spec.training is None or optimizer is None or _is_usual(optimizer):
            return None
        rate = RANGES["Adam"].usual * (CAREFUL if _is_deep_plain(spec) else 1.0)
        clip = {name: optimizer.config[name] for name in CLIPPINGS if optimizer.config.get(name) is not None}
        changed = replace(
            spec, training=replace(spec.training, optimizer=ObjectSpec("Adam", {**SETTINGS, **clip}))
        )
        return Applied(
            with_rate(changed, rate),
            (),
            f"Train with Adam at a rate of {shown(rate)} instead of {optimizer.kind}.",
            {"optimizer": "Adam", "learning_rate": rate},
        )


def _is_usual(optimizer: ObjectSpec) -> bool:
    config = optimizer.config
    return optimizer.kind in ("Adam", "AdamW") and all(
        config.get(name, SETTINGS[name]) == SETTINGS[name] for name in ("beta_1", "beta_2", "epsilon")
    )


def _is_deep_plain(spec: ModelSpec) -> bool:
    layers = Graph(spec).flat.layers
    return sum(map(is_matrix, layers)) > DEEP and not any(map(normalizes, layers))

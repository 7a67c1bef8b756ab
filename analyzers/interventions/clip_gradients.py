"""Bound the norm of the gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.spec import ModelSpec
from analyzers.spec.learning_rates import CLIPPINGS, clipping

NORM: Final = 1.0
"""Bound on each gradient's norm: inside the 0.5 to 10 in which Pascanu et al. (2013, section 4.2) found
the choice to matter little."""

LOWEST: Final = 0.1
"""A bound that is there already and not below this is kept."""


class ClipGradients(Intervention):
    """Set ``clipnorm=1.0``, in place of any bound that is far smaller."""

    id: ClassVar[str] = "clip-gradients"
    invasiveness: ClassVar[int] = 1
    moves: ClassVar[tuple[Quantity, ...]] = ("update_ratio",)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        training = spec.training
        if training is None or training.optimizer is None:
            return None
        present = clipping(training.optimizer)
        if present is not None and present[1] >= LOWEST:
            return None
        others = {key: value for key, value in training.optimizer.config.items() if key not in CLIPPINGS}
        optimizer = replace(training.optimizer, config={**others, "clipnorm": NORM})
        return Applied(
            replace(spec, training=replace(training, optimizer=optimizer)),
            (),
            f"Clip the norm of each gradient to {NORM:g}.",
            {"clipnorm": NORM},
        )

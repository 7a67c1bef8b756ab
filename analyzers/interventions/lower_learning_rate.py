"""Take smaller steps."""

from __future__ import annotations

from typing import ClassVar, Final

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.learning_rate import current_rate, shown, usual_rate, with_rate
from analyzers.spec import ModelSpec

FACTOR: Final = 0.1


class LowerLearningRate(Intervention):
    """Train at a lower constant rate.

    Args:
        rate: the rate to train at; None takes a tenth of the model's own, or the usual rate of its optimizer
            where the model's is above all that it is used with.
    """

    id: ClassVar[str] = "lower-learning-rate"
    invasiveness: ClassVar[int] = 1
    general: ClassVar[bool] = True
    moves: ClassVar[tuple[Quantity, ...]] = ("update_ratio",)

    def __init__(self, rate: float | None = None) -> None:
        self.rate = rate

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class; None also where the model's rate is not above the one to set."""
        current = current_rate(spec)
        if current is None:
            return None
        rate = self.rate if self.rate is not None else min(current * FACTOR, usual_rate(spec, current))
        if rate >= current:
            return None
        summary = f"Lower the learning rate from {shown(current)} to {shown(rate)}."
        return Applied(with_rate(spec, rate), (), summary, {"learning_rate": rate})

"""diverging-loss: the loss becomes NaN or infinite, or rises far above its start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.report import finite
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import FAILED, WINDOW, conditions, control_failed, last_fifth, middle
from analyzers.rules.words import number

HIGHEST_GROWTH: Final = 2.0
"""Last losses over first ones, and over chance (RULES.md)."""


class DivergingLoss(Rule):
    """The loss becomes NaN or infinite, or rises far above its start.

    What it checks:
        Every loss of the deciding run, regularisation included. It is told when one is not finite, or
        when the last fifth of the data losses is over twice the first ones, over twice chance, and
        still rising.

    Why training suffers:
        Steps that overshoot make the next gradient larger than the last. The loss runs away, and once
        it is NaN every weight is NaN with the next update.

    Bad example:
        ```python
        model.compile(keras.optimizers.SGD(1.0), "mse")   # raw targets in the thousands
        ```

    Fixed example:
        ```python
        model.compile(keras.optimizers.SGD(0.01, clipnorm=1.0), "mse")   # standardised targets
        ```

    How sure we are:
        Certain for the run that was made: the losses are in the report.

    Known limitations:
        It holds for the probe's task, batch size and steps; a run that diverges only after thousands
        of steps is not seen.

    References:
        Goodfellow et al., Deep Learning, 2016, section 8.2.4, https://www.deeplearningbook.org
    """

    id: ClassVar[str] = "diverging-loss"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A loss that diverges"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = (
        "lower-learning-rate", "standardize-inputs", "rescale-inputs", "he-initialization",
        "reinitialize-dead-layers", "add-batch-normalization",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset({"lower-learning-rate"})
    references: ClassVar[tuple[str, ...]] = ("https://www.deeplearningbook.org",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Growth of the loss over the run, and the first step at which it is not finite."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        run = evidence.decision
        if not run.loss:
            return NotApplicable("the deciding run took no step")
        totals = [*run.loss, *run.regularization]
        broken = next((step for step, loss in enumerate(run.loss) if not math.isfinite(loss)), None)
        if broken is None and not all(map(math.isfinite, totals)):
            broken = next(step for step, loss in enumerate(run.regularization) if not math.isfinite(loss))
        last = middle(last_fifth(run.loss))
        first = middle(run.loss[: min(WINDOW, len(last_fifth(run.loss)))])
        earlier = middle(last_fifth(run.loss[: -len(last_fifth(run.loss))]))
        return Measurement(
            finite(last / first if first > 0 else None) or 0.0,
            "last loss over first loss",
            details={
                "verdict": evidence.outcome,
                "first_loss": finite(first),
                "last_loss": finite(last),
                "rising": last > earlier,
                "over_chance": finite(last / evidence.chance_loss) or 0.0,
                "not_finite_from_step": broken,
                "conditions": conditions(run),
                "steps": len(run.loss),
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for a loss that is not finite or runs away, in a run that failed."""
        details = measurement.details
        broken = details["not_finite_from_step"]
        growth, over_chance = measurement.value, details["over_chance"]
        runs_away = details["rising"] and growth > HIGHEST_GROWTH and over_chance > HIGHEST_GROWTH
        if details["verdict"] not in FAILED or not (broken is not None or runs_away):
            return ()
        happened = (
            f"is not finite from step {broken + 1} on"
            if broken is not None
            else f"rises from {number(details['first_loss'])} to {number(details['last_loss'])} and goes on rising"
        )
        return (
            self.finding(
                "error",
                evidence={"first_loss": details["first_loss"], "last_loss": details["last_loss"],
                          "growth": growth, "not_finite_from_step": broken, "steps": details["steps"]},
                explanation=f"In a run of {details['steps']} steps ({details['conditions']}) the loss {happened}: the steps "
                "overshoot, and each makes the next gradient larger.",
                fix="Lower the learning rate, standardise the input, clip the gradient's norm.",
                certain=True,
                confidence=0.95,
            ),
        )  # fmt: skip

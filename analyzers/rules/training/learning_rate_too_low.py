"""learning-rate-too-low: steps too small for any reasonable run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import number
from analyzers.spec.learning_rates import rate_of

CONFIDENCE_BELOW: Final = 0.5
CONFIDENCE_END_OF_RUN: Final = 0.1
"""Plateau callbacks and schedules end at such rates: after steps it says nothing (PROBE.md, "Rates")."""


class LearningRateTooLow(Rule):
    """A learning rate at which nothing moves.

    What it checks:
        The configured rate, a schedule's peak included, against the lowest that the optimizer is used
        with; SGD by its step length, rate / (1 - momentum). A rate of zero or below.

    Why training suffers:
        Each step changes the weights by less than the loss can show. The run looks stuck although
        every gradient is right: it would need millions of steps. At zero nothing changes at all.

    Bad example:
        ```python
        model.compile(optimizer=keras.optimizers.Adam(1e-8), loss="categorical_crossentropy")
        ```

    Fixed example:
        ```python
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="categorical_crossentropy")
        ```

    How sure we are:
        A rate of zero or below in a file that was never trained is certain. A rate under the range is
        confirmed when the probe learns with a higher one. Once steps were taken the rate in the file is
        the end of a run and only information.

    Known limitations:
        Fine-tuning of very large models goes down to 1e-6, which is why the limits are so low; whether
        a rate within the range is too slow for this model, only the probe can tell.

    References:
        Bengio, Practical Recommendations for Gradient-Based Training, 2012, https://arxiv.org/abs/1206.5533
    """

    id: ClassVar[str] = "learning-rate-too-low"
    group: ClassVar[Group] = "training"
    title: ClassVar[str] = "Learning rate too low"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("raise-learning-rate",)
    specific: ClassVar[frozenset[str]] = frozenset({"raise-learning-rate"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1206.5533",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Put the rate beside the lowest usual one of its optimizer."""
        rate = rate_of(facts.training)
        if isinstance(rate, str):
            return NotApplicable(rate)
        return Measurement(
            rate.step_length / rate.range.low,
            "times the lowest usual rate",
            {},
            {
                "optimizer": rate.optimizer,
                "learning_rate": rate.rate,
                "lowest_usual": rate.as_rate(rate.range.low),
                "usual": rate.as_rate(rate.range.usual),
                "steps_taken": facts.training.steps_taken,
                "scheduled": facts.training.schedule is not None,
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Zero is certain before training; below the range is for the probe; after training it is told."""
        details = measurement.details
        if measurement.value >= 1:
            return ()
        rate, steps = details["learning_rate"], details["steps_taken"]
        nothing_moves = rate <= 0
        text = f"{details['optimizer']} trains with rate {number(rate)}"
        if nothing_moves:
            text += ": steps of that length change nothing" if rate == 0 else ": steps go uphill"
        else:
            text += (
                f", below {number(details['lowest_usual'])}: no run is long enough for steps of that length"
            )
        if steps:
            text += f". After {steps} steps this may be where a schedule or callback ended, so it is no cause by itself"
        return (
            self.finding(
                "info" if steps else "error",
                evidence=dict(details),
                explanation=f"{text}.",
                fix=f"Start from {number(details['usual'])}, the usual rate of {details['optimizer']}.",
                certain=nothing_moves and not steps and not details["scheduled"],
                confidence=CONFIDENCE_END_OF_RUN if steps else 1.0 if nothing_moves else CONFIDENCE_BELOW,
            ),
        )

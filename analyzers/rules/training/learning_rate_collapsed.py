"""learning-rate-collapsed: a rate that a schedule or callback has brought down to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import number
from analyzers.spec import ObjectSpec, TrainingSpec
from analyzers.spec.learning_rates import rate_at, rate_of

COLLAPSED: Final = 0.01
"""Share of the rate at the start below which steps are a hundred times as short: what such a run still
learns it would have learnt in a hundredth of the steps before."""

SHORT_RUN: Final = 500
"""Steps that hardly any training needs less than: eight epochs of 2000 samples in batches of 32."""

LONG_RUN: Final = 2000
FEW: Final = 50
"""Steps at the full rate that a whole schedule may be worth, over 2000 steps: the probe's controls, small networks
on easy tasks, take 20 to 40 to learn.  No run at the peak, as the probe's are, can refute what the sum proves."""

CONFIDENCE_SCHEDULE: Final = 0.5
CONFIDENCE_FALLEN: Final = 0.3
"""A schedule's end is where it is meant to be; a callback's floor is reached by healthy runs, too."""


class LearningRateCollapsed(Rule):
    """A rate that a schedule or callback has brought down to nothing.

    What it checks:
        The rate in the optimizer's state against the configured one, or against the optimizer's usual
        one where the file holds no other; and the schedule: whether it falls to a hundredth of its peak
        within the first 500 steps, or had done so long before the steps that were taken.

    Why training suffers:
        ReduceLROnPlateau takes a plateau for the end of learning. On a network that is stuck at chance
        from the start, it lowers the rate until nothing could bring it off any more. A schedule whose
        length is counted in epochs where Keras counts steps ends a hundred times too early.

    Bad example:
        ```python
        schedule = keras.optimizers.schedules.CosineDecay(1e-3, decay_steps=50)  # 50 epochs were meant
        ```

    Fixed example:
        ```python
        schedule = keras.optimizers.schedules.CosineDecay(1e-3, decay_steps=50 * steps_per_epoch)
        ```

    How sure we are:
        The rates are facts. At the end of a run a low rate is as often the sign of a finished training as
        of a collapsed one, so there it is information; the probe tells the two apart by training on
        at the usual rate.

    Known limitations:
        Keras writes the rate of the last step into the configuration as well, so that where the run
        started is not in most files.

    References:
        https://keras.io/api/callbacks/reduce_lr_on_plateau/
        https://keras.io/api/optimizers/learning_rate_schedules/
    """

    id: ClassVar[str] = "learning-rate-collapsed"
    group: ClassVar[Group] = "training"
    title: ClassVar[str] = "Learning rate fallen to nothing"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("raise-learning-rate",)
    specific: ClassVar[frozenset[str]] = frozenset({"raise-learning-rate"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/callbacks/reduce_lr_on_plateau/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Put the rate in force beside the rate at the start, and the schedule's length beside the run."""
        training = facts.training
        details = _scheduled(training, training.schedule) if training.schedule else _constant(training)
        if isinstance(details, str):
            return NotApplicable(details)
        return Measurement(details["share"], "share of the rate at the start", {}, details)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for schedules and for a rate far below the configured one, else information."""
        details = measurement.details
        if measurement.value >= COLLAPSED:
            return ()
        steps = details["steps_taken"]
        if details["kind"] == "schedule":
            text = (
                f"{details['schedule']} brings the rate from {number(details['start'])} to {number(details['now'])} "
                f"by step {details['step']}"
            )
            text += (
                f", and {steps} steps were taken"
                if steps
                else ": most trainings have not begun to learn by then"
            )
            if details["worth"] < FEW:
                text += f"; all its steps together are worth {number(details['worth'])} at the full rate"
            fix = "Give the schedule the length of the whole run, counted in steps (epochs times steps per epoch)."
        else:
            text = (
                f"After {steps} steps the rate in force is {number(details['now'])}, {number(details['share'])} of "
                f"{number(details['start'])}, {details['start_is']}: either the training is finished, or a callback "
                "took a plateau at chance for its end"
            )
            fix = f"If it has not learnt, start again from {number(details['start'])} and mend the cause of the plateau."
        told = details["kind"] == "schedule" or details["start_is"] == CONFIGURED
        return (
            self.finding(
                "warning" if told else "info",
                evidence=dict(details),
                explanation=f"{text}.",
                fix=fix,
                certain=not steps and details.get("worth", FEW) < FEW,
                confidence=CONFIDENCE_SCHEDULE if details["kind"] == "schedule" else CONFIDENCE_FALLEN,
            ),
        )


CONFIGURED: Final = "the configured rate"
"""Where the rate at the start is known from; the other source is the optimizer's usual rate."""


def _scheduled(training: TrainingSpec, schedule: ObjectSpec) -> Mapping[str, Any] | str:
    """How far a schedule has fallen by the end of a short run."""
    peak = training.learning_rate
    now = rate_at(schedule, SHORT_RUN)
    if not peak or now is None:
        return f"the schedule {schedule.kind} has no peak or no formula that is known"
    return {
        "kind": "schedule",
        "schedule": schedule.kind,
        "start": peak,
        "now": now,
        "share": now / peak,
        "step": SHORT_RUN,
        "worth": sum(rate_at(schedule, step) or 0.0 for step in range(LONG_RUN)) / peak,
        "steps_taken": training.steps_taken or 0,
    }


def _constant(training: TrainingSpec) -> Mapping[str, Any] | str:
    """How far the rate in force lies below the configured or else the usual one."""
    usual, configured, now = rate_of(training), training.learning_rate, training.rate_in_force
    if not training.steps_taken:
        return "no steps were taken, so that nothing can have brought the rate down"
    if now is None or isinstance(usual, str):
        return "the optimizer's state holds no rate; a file saved with its optimizer would settle it"
    known = configured is not None and now < COLLAPSED * configured
    start = configured if known and configured is not None else usual.as_rate(usual.range.usual)
    return {
        "kind": "state",
        "start": start,
        "start_is": CONFIGURED if known else f"the usual rate of {usual.optimizer}",
        "now": now,
        "share": now / start,
        "steps_taken": training.steps_taken,
    }

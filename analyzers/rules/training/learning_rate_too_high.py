"""learning-rate-too-high: steps that overshoot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.propagation import plain_stretch
from analyzers.rules.words import number
from analyzers.spec.learning_rates import SLACK, rate_of

DEEP_PLAIN: Final = 8
"""Weighted layers in a row without normalisation above which the lower limit of the table holds."""

FAR_OVER: Final = 10.0
"""Factor over the limit from which the suspicion is strong."""

CONFIDENCE_BORDERLINE: Final = 0.3
CONFIDENCE_OVER: Final = 0.5
CONFIDENCE_FAR_OVER: Final = 0.7


class LearningRateTooHigh(Rule):
    """A learning rate beyond what the optimizer and the network stand.

    What it checks:
        The configured rate, a schedule's peak included, against the rates that the optimizer is used
        with. SGD is compared by its step length, rate / (1 - momentum). Networks with more than eight
        weighted layers in a row without normalisation or shortcut are held to the lower limit that such
        networks were trained with.

    Why training suffers:
        A step that is longer than the valley is wide lands on the other side, higher up. After a few
        such steps units are pushed to where they pass nothing on, the outputs become constant, and the
        loss sits at the entropy of the labels, or grows without bound.

    Bad example:
        ```python
        vgg16.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss="categorical_crossentropy")
        ```

    Fixed example:
        ```python
        vgg16.compile(optimizer=keras.optimizers.SGD(0.01, momentum=0.9), loss="categorical_crossentropy")
        ```

    How sure we are:
        A rate is never wrong by itself. It is a suspicion until the probe has shown that the same model
        learns with a lower rate and that its updates become smaller; it is then an error. A rate within
        the usual range is suspected only in deep plain networks, and weakly.

    Known limitations:
        Batch size, clipping and warm-up move the limit and are not in the file. After a real run the
        file's rate is that of the run's end: callbacks lower rates, so the run's own was no lower.

    References:
        Smith, Cyclical Learning Rates, 2017, https://arxiv.org/abs/1506.01186
        Bengio, Practical Recommendations for Gradient-Based Training, 2012, https://arxiv.org/abs/1206.5533
        Simonyan and Zisserman, Very Deep Convolutional Networks, 2015, https://arxiv.org/abs/1409.1556
    """

    id: ClassVar[str] = "learning-rate-too-high"
    group: ClassVar[Group] = "training"
    title: ClassVar[str] = "Learning rate too high"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("lower-learning-rate",)
    specific: ClassVar[frozenset[str]] = frozenset({"lower-learning-rate"})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1506.01186",
        "https://arxiv.org/abs/1206.5533",
        "https://arxiv.org/abs/1409.1556",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Put the rate beside the limits of its optimizer for networks of this depth."""
        rate = rate_of(facts.training)
        if isinstance(rate, str):
            return NotApplicable(rate)
        depth = len(plain_stretch(facts.graph))
        return Measurement(
            rate.step_length / rate.range.high,
            "times the highest usual rate",
            {},
            {
                "optimizer": rate.optimizer,
                "learning_rate": rate.rate,
                "momentum": rate.momentum,
                "step_length": rate.step_length,
                "highest_usual": rate.as_rate(rate.range.high),
                "highest_deep_plain": rate.as_rate(rate.range.deep_plain),
                "over_deep_plain": rate.step_length / rate.range.deep_plain,
                "plain_layers_in_a_row": depth,
                "steps_taken": facts.training.steps_taken,
                "scheduled": facts.training.schedule is not None,
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Over the range for all networks, or over the lower limit for deep plain ones."""
        details = measurement.details
        deep = details["plain_layers_in_a_row"] > DEEP_PLAIN
        over = max(measurement.value, details["over_deep_plain"] if deep else 0.0)
        if over <= SLACK:
            return ()
        limit = details["highest_deep_plain" if deep else "highest_usual"]
        momentum = f" with momentum {number(details['momentum'])}" if details["momentum"] else ""
        text = f"{details['optimizer']} trains with rate {number(details['learning_rate'])}{momentum}"
        if deep:
            text += (
                f". {details['plain_layers_in_a_row']} weighted layers follow each other without normalisation or "
                f"shortcut, and such networks were trained with at most about {number(limit)}"
            )
        else:
            text += f"; above about {number(limit)} its steps overshoot in networks of most kinds"
        if details["steps_taken"]:
            text += f". After {details['steps_taken']} steps this is the rate at the run's end, seldom its highest"
        borderline = measurement.value <= SLACK and over < FAR_OVER
        confidence = CONFIDENCE_FAR_OVER if over >= FAR_OVER else CONFIDENCE_OVER
        return (
            self.finding(
                "error",
                evidence={**details, "times_the_limit": over},
                explanation=f"{text}.",
                fix=f"Set the rate to {number(limit / 10)} to {number(limit)}, or warm it up from there.",
                confidence=CONFIDENCE_BORDERLINE if borderline else confidence,
            ),
        )

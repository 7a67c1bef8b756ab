"""oscillating-loss: the loss swings widely and goes nowhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import FAILED, conditions, control_failed
from analyzers.rules.words import number

WIDEST: Final = 0.5
"""Swing from the tenth to the ninetieth percentile, as a share of the median, beyond what the drawing of
samples makes.  Losses of networks at rest swing by 0.05 to 0.1 (their biases follow each batch, measured)."""

DECILES: Final = 2.56
"""Standard deviations of a normal distribution between its tenth and ninetieth percentile."""

TREND: Final = 0.5
"""Change over the steps judged, as a share of the swing, from which on the loss is on its way somewhere."""

LEAST_STEPS: Final = 16
"""Steps in the later half without which nothing is said of swings."""


class OscillatingLoss(Rule):
    """The loss swings widely and goes nowhere.

    What it checks:
        The batch losses in the later half of the deciding run: their swing between the tenth and the
        ninetieth percentile as a share of their median, against what batches of that size make by
        themselves, and the trend through them. It is told for wide swings without a trend in a run that
        did not learn and did not diverge.

    Why training suffers:
        The steps are longer than the valley is wide: each lands on the other side, and the loss goes
        back and forth instead of down.

    Bad example:
        ```python
        model.compile(keras.optimizers.SGD(0.5, momentum=0.99), "categorical_crossentropy")
        ```

    Fixed example:
        ```python
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "categorical_crossentropy")
        ```

    How sure we are:
        The losses are in the report. That the rate is the reason is shown only by a run at a lower one.

    Known limitations:
        What samples make of a loss by themselves is taken from the squared error of one normal target,
        the noisiest usual one, so narrow swings pass. Nothing is said of runs that learnt.

    References:
        Goodfellow et al., Deep Learning, 2016, section 8.2.4, https://www.deeplearningbook.org
    """

    id: ClassVar[str] = "oscillating-loss"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A loss that swings without falling"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = ("lower-learning-rate", "clip-gradients")
    specific: ClassVar[frozenset[str]] = frozenset({"lower-learning-rate"})
    references: ClassVar[tuple[str, ...]] = ("https://www.deeplearningbook.org",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Swing and trend of the losses in the later half of the deciding run."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        run = evidence.decision
        later = np.asarray([loss for loss in run.judged[len(run.judged) // 2 :] if math.isfinite(loss)])
        if len(later) < LEAST_STEPS or float(np.median(later)) <= 0:
            return NotApplicable(f"the later half of the deciding run has fewer than {LEAST_STEPS} losses")
        low, middle, high = (float(value) for value in np.percentile(later, (10, 50, 90)))
        slope = float(np.polyfit(np.arange(len(later)), later, 1)[0])
        return Measurement(
            (high - low) / middle,
            "swing over median loss",
            details={
                "verdict": evidence.outcome,
                "conditions": conditions(run),
                "by_samples_alone": DECILES * math.sqrt(2 / evidence.batch_size),
                "change": slope * (len(later) - 1) / middle,
                "low": low,
                "high": high,
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for swings without a trend in a run that failed but did not diverge."""
        details, swing = measurement.details, measurement.value
        wide = swing > WIDEST + details["by_samples_alone"]
        still = abs(details["change"]) < TREND * swing
        if details["verdict"] not in FAILED - {"diverged"} or not (wide and still):
            return ()
        return (
            self.finding(
                "warning",
                evidence={"swing": swing, "by_samples_alone": details["by_samples_alone"],
                          "change": details["change"], "low": details["low"], "high": details["high"]},
                explanation=f"In the later half of the run ({details['conditions']}) the loss swings between "
                f"{number(details['low'])} and {number(details['high'])} and goes nowhere: the steps overshoot.",
                fix="Lower the learning rate by a factor of three to ten, or clip the gradient's norm.",
                certain=True,
                confidence=0.7,
            ),
        )  # fmt: skip

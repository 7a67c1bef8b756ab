"""high-initial-loss: the untrained model starts far above chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.report import finite
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import conditions, control_failed
from analyzers.rules.words import number

HIGHEST: Final = 2.0
"""First loss over chance.  RULES.md says one nat over ln K, which is 1.4 times chance for 10 classes and 2.4
times for 2; a share holds for regression as well."""


class HighInitialLoss(Rule):
    """The untrained model starts far above chance.

    What it checks:
        The loss of the first batch from fresh weights, before any step, over that of the best constant
        prediction.

    Why training suffers:
        A model that knows nothing should say so. One that starts with large outputs is confidently
        wrong: its first steps go into taking that back, with large gradients that the other layers feel.

    Bad example:
        ```python
        outputs = layers.Dense(10, activation="softmax", kernel_initializer=keras.initializers.RandomNormal(stddev=1))(x)
        ```

    Fixed example:
        ```python
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    How sure we are:
        Measured. It is information: most models recover within some dozen steps.

    Known limitations:
        One batch of the probe's task, on the input scale of the deciding run. Where saved weights decide
        and no fresh ones were run it does not apply: those weights know another task.

    References:
        https://karpathy.github.io/2019/04/25/recipe/
    """

    id: ClassVar[str] = "high-initial-loss"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A first loss far above chance"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    references: ClassVar[tuple[str, ...]] = ("https://karpathy.github.io/2019/04/25/recipe/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """First loss from fresh weights over chance."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        decision = evidence.decision
        fresh = next(
            (run for run in (decision, *evidence.runs)
             if run.weights == "fresh" and run.input_scale == decision.input_scale and run.judged
             and run.own_numbers == decision.own_numbers),
            None,
        )  # fmt: skip
        if fresh is None:
            return NotApplicable("no run from fresh weights was made, and saved ones know another task")
        first = fresh.judged[0]
        return Measurement(
            first if math.isfinite(first) else 0.0,
            "first loss over chance",
            details={"first_loss": finite(fresh.loss[0]), "chance_loss": evidence.chance_loss, "conditions": conditions(fresh)},
        )  # fmt: skip

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Information for a start far above chance."""
        if measurement.value <= HIGHEST:
            return ()
        details = measurement.details
        return (
            self.finding(
                "info",
                evidence={"over_chance": measurement.value, "first_loss": details["first_loss"],
                          "chance_loss": details["chance_loss"]},
                explanation=f"Before any step ({details['conditions']}) the loss is {number(measurement.value)} times that of the "
                "best constant prediction: the untrained model is confidently wrong, and its first steps take that back.",
                fix="Initialise the output layer with a smaller scale, and standardise what it takes in.",
                certain=True,
                confidence=0.6,
            ),
        )  # fmt: skip

"""initialization-sensitivity: the model learns from some random starts only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import FAILED, conditions, control_failed

LEAST_STARTS: Final = 2
"""Random starts without which nothing can differ."""


class InitializationSensitivity(Rule):
    """The model learns from some random starts only.

    What it checks:
        The runs from fresh weights on the deciding run's input scale and rate, which differ in nothing
        but the seed. It is told when some learnt and some failed.

    Why training suffers:
        Whether a run works is a matter of luck: in a deep plain network at the edge of what its rate
        and its initialisers stand, one draw of the weights keeps enough units alive and the next does
        not. Restarting the same program then gives another result.

    Bad example:
        ```python
        for _ in range(12):
            x = layers.Dense(16, activation="relu")(x)        # few units, Glorot: some starts are dead
        ```

    Fixed example:
        ```python
        for _ in range(12):
            x = layers.Dense(64, activation="relu", kernel_initializer="he_normal")(x)
            x = layers.BatchNormalization()(x)
        ```

    How sure we are:
        Certain for the runs that were made; a share of two or three starts is a rough one.

    Known limitations:
        A second start is made only where the first was near the edge, so that luck which the first start
        hides is not seen. Data, dropout and weights change together with the seed.

    References:
        Lu et al., Dying ReLU and Initialization, 2019, https://arxiv.org/abs/1903.06733
    """

    id: ClassVar[str] = "initialization-sensitivity"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "Learning that depends on the random start"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = (
        "he-initialization", "lower-learning-rate", "leaky-relu", "add-batch-normalization",
    )  # fmt: skip
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1903.06733",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Share of the random starts from which the model learnt."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        decision = evidence.decision
        if decision.weights == "saved":
            return NotApplicable("the saved weights decide, so there is no random start to vary")
        starts = {
            run.seed: run.verdict
            for run in reversed(evidence.runs)
            if run.weights == "fresh" and run.input_scale == decision.input_scale
            and run.learning_rate == decision.learning_rate and run.interventions == decision.interventions
        }  # fmt: skip
        if len(starts) < LEAST_STARTS:
            return NotApplicable("one random start was tried, and it was clear enough")
        learnt = sum(verdict == "learnt" for verdict in starts.values())
        failed = sum(verdict in FAILED for verdict in starts.values())
        return Measurement(
            learnt / len(starts),
            "share of random starts that learnt",
            details={
                "learnt": learnt, "failed": failed, "starts": len(starts), "conditions": conditions(decision)
            },
        )  # fmt: skip

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning where some starts learnt and some failed."""
        learnt, failed, starts = (measurement.details[key] for key in ("learnt", "failed", "starts"))
        if not (learnt and failed):
            return ()
        return (
            self.finding(
                "warning",
                evidence={"learnt": learnt, "failed": failed, "starts": starts},
                explanation=f"Of {starts} random starts ({measurement.details['conditions']}) {learnt} learnt and {failed} did "
                "not: whether it works is a matter of luck.",
                fix="Move away from the edge: initialise with he_normal, normalise between the layers, lower the rate; until "
                "then, train from several seeds.",
                certain=True,
                confidence=0.85,
            ),
        )  # fmt: skip

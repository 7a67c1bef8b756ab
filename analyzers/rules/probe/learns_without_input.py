"""learns-without-input: the loss falls as it does without any input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import WINDOW, conditions, control_failed, middle

FALLEN: Final = 0.1
"""Least fall of the loss, as a share of its start, that passes for learning to whoever watches it."""

SAME: Final = 0.9
"""Share of the fall that must be there without input.  A model that learns anything of its input falls
below chance, where it cannot follow without."""


class LearnsWithoutInput(Rule):
    """The loss falls as it does without any input.

    What it checks:
        A model that is stuck is trained once more with one and the same input for every sample, all else
        equal. It is told when its loss fell by a tenth or more, and falls as far without the input.

    Why training suffers:
        A falling loss looks like learning. What was learnt here is how often each answer occurs, by the
        output's bias alone: the loss comes down from a poor start to that of the best constant answer
        and stays there.

    Bad example:
        ```text
        with input     5.10 -> 1.64        with the same input for every sample     5.10 -> 1.64
        ```

    Fixed example:
        ```text
        with input     5.10 -> 0.31        with the same input for every sample     5.10 -> 1.64
        ```

    How sure we are:
        Certain for the two runs that were made. It is a symptom: the cause is what keeps the input from
        the output.

    Known limitations:
        Only models that are stuck are asked, and only where the budget has steps to spare.

    References:
        https://karpathy.github.io/2019/04/25/recipe/ ("input-independent baseline")
    """

    id: ClassVar[str] = "learns-without-input"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A loss that falls just the same without input"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    references: ClassVar[tuple[str, ...]] = ("https://karpathy.github.io/2019/04/25/recipe/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """How far the loss fell with and without input."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        if evidence.blind is None:
            return NotApplicable("only a model that is stuck is asked, where the budget has steps to spare")
        run, blind = evidence.decision, evidence.blind
        start, end, without = run.loss[0], middle(run.loss[-WINDOW:]), middle(blind.loss[-WINDOW:])
        if not all(map(math.isfinite, (start, end, without))):
            return NotApplicable("a loss did not stay finite")
        return Measurement(
            (start - end) / max(abs(start), 1e-12),
            "share of the first loss",
            details={
                "first_loss": start, "last_loss": end, "last_loss_without_input": without,
                "steps": len(run.loss), "conditions": conditions(run),
            },
        )  # fmt: skip

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error where the loss fell, and as far without input."""
        details = measurement.details
        start, end, without = (details[key] for key in ("first_loss", "last_loss", "last_loss_without_input"))
        if measurement.value < FALLEN or start - without < SAME * (start - end):
            return ()
        return (
            self.finding(
                "error",
                evidence={key: details[key] for key in ("first_loss", "last_loss", "last_loss_without_input", "steps")},
                explanation=f"In {details['steps']} steps ({details['conditions']}) its loss fell from {start:.4g} to {end:.4g}; with "
                f"one and the same input for every sample it falls from there to {without:.4g}. What it learns is how often each "
                "answer occurs, nothing of the input.",
                fix="Do not take the falling loss for progress: compare it with that of the best constant answer, and "
                "mend what keeps the input from the output.",
                certain=True,
                confidence=0.85,
            ),
        )  # fmt: skip

"""cannot-overfit-small-batch: not even the samples of one batch can be learnt by heart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from analyzers.probe.evidence import MEMORIZED
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import WINDOW, conditions, control_failed
from analyzers.rules.words import roughly


class CannotOverfitSmallBatch(Rule):
    """Not even the samples of one batch can be learnt by heart.

    What it checks:
        A model that is stuck is trained on the samples of a single batch over and over, and so is the
        control. It is told when the control comes under a tenth of chance and the model does not.

    Why training suffers:
        To know a handful of samples by heart asks nothing of the data and little of the capacity: it
        only asks that the loss can push the outputs, and the outputs the weights. Where that fails, the
        fault is in the model or in its settings, and more data, more epochs or less regularisation
        change nothing.

    Bad example:
        ```text
        same 16 samples:  step 1  loss 2.31    step 20  loss 2.30    step 60  loss 2.30
        ```

    Fixed example:
        ```text
        same 16 samples:  step 1  loss 2.31    step 20  loss 0.84    step 60  loss 0.05
        ```

    How sure we are:
        Certain for the runs that were made. It is a symptom, and rules the data out as the cause.

    Known limitations:
        Only models that are stuck are asked, and only where the budget has steps to spare. Strong dropout
        or noise keep the training loss up without being a fault by themselves.

    References:
        https://karpathy.github.io/2019/04/25/recipe/ ("overfit one batch")
    """

    id: ClassVar[str] = "cannot-overfit-small-batch"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A single batch that cannot be memorised"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    references: ClassVar[tuple[str, ...]] = ("https://karpathy.github.io/2019/04/25/recipe/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Where the model's and the control's loss on the same samples ended."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        if evidence.memorized is None:
            return NotApplicable("only a model that is stuck is asked, where the budget has steps to spare")
        model, control = evidence.memorized
        return Measurement(
            least_of(model.judged),
            "share of chance",
            details={
                "control": least_of(control.judged),
                "first": model.judged[0],
                "steps": len(model.loss),
                "control_steps": len(control.loss),
                "samples": evidence.batch_size,
                "conditions": conditions(model),
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error where the control memorised the samples and the model did not."""
        details = measurement.details
        if details["control"] >= MEMORIZED or measurement.value < MEMORIZED:
            return ()
        return (
            self.finding(
                "error",
                evidence={key: details[key] for key in ("samples", "steps", "control_steps")}
                | {"share_of_chance": measurement.value, "share_of_chance_of_control": details["control"]},
                explanation=f"Trained on the same {details['samples']} samples {details['steps']} times "
                f"({details['conditions']}), its loss {_stands(measurement.value)} that of a constant answer; a "
                f"plain control model came to {details['control']:.0%} in {details['control_steps']}. What cannot be learnt by "
                "heart is not for want of data.",
                fix="Do not look at the data, the number of epochs or regularisation first: the model or its settings are at "
                "fault, as the findings beside this one say.",
                certain=True,
                confidence=0.85,
            ),
        )  # fmt: skip


def _stands(share: float) -> str:
    return f"came down to {share:.0%} of" if share < 1 else f"stands at {roughly(share)} times"


def least_of(judged: Sequence[float]) -> float:
    """Lowest of the finite values of a series' end, infinite where there is none."""
    last = np.asarray(judged[-WINDOW:], dtype=np.float64)
    return float(np.min(last[np.isfinite(last)], initial=1e6))

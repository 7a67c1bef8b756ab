"""loss-stuck-at-chance: the loss rests on that of the best constant prediction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import FAILED, conditions, control_failed, last_fifth, signal_lost

TOLERANCE: Final = 0.02
"""Distance from chance, as a share of chance.  C5's own losses stayed within 0.0003 of it for 19 epochs,
C3's mean losses within 0.011: there the biases wander with every step."""

STANDARD_ERRORS: Final = 2.0
"""Added to the tolerance, in standard errors of the mean of the last fifth of the losses."""


class LossStuckAtChance(Rule):
    """The loss rests on what the best constant prediction would give.

    What it checks:
        The mean cross-entropy over the K classes of the probe's labels, in the last fifth of the
        deciding run, against ln K: what the best constant prediction gives. A plain control model learns
        the same task in the same steps. It names that number, and the first layer behind which nothing
        of the input is left where the measured activations show one. Classes that do not occur are left
        out, because the output's bias alone learns that they do not.

    Why training suffers:
        A model that rests there has learnt how often each class occurs and nothing of the input. That
        is what is left to learn when the input does not reach the output or the gradient does not
        reach the weights.

    Bad example:
        ```text
        epoch 1  loss 2.307    epoch 2  loss 2.304    epoch 9  loss 2.303     (ln 10 = 2.3026)
        ```

    Fixed example:
        ```text
        epoch 1  loss 1.871    epoch 2  loss 1.402    epoch 9  loss 0.613
        ```

    How sure we are:
        Certain for the run that was made: the losses are in the report. It is a symptom. The cause is
        what the other findings name and what the verified fix changes.

    Known limitations:
        It holds for the probe's task, steps and rate. A model that rests elsewhere, above chance with
        huge logits, is told by other rules.

    References:
        https://karpathy.github.io/2019/04/25/recipe/
    """

    id: ClassVar[str] = "loss-stuck-at-chance"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A loss that stays at chance"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = (
        "lower-learning-rate", "raise-learning-rate", "standardize-inputs", "rescale-inputs",
        "he-initialization", "leaky-relu", "reinitialize-dead-layers", "add-batch-normalization",
    )  # fmt: skip
    references: ClassVar[tuple[str, ...]] = ("https://karpathy.github.io/2019/04/25/recipe/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Distance of the last losses from chance, and where the signal is lost."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        run = evidence.decision
        losses = np.asarray(last_fifth(run.judged), dtype=np.float64)
        if not losses.size or not np.isfinite(losses).all():
            return NotApplicable("the loss did not stay finite; diverging-loss tells of that")
        classes = evidence.classes_used
        chance = math.log(classes) if classes else evidence.chance_loss
        losses = losses * chance
        error = float(losses.std()) / math.sqrt(losses.size)
        lost = signal_lost(facts.graph, run.end)
        return Measurement(
            abs(float(losses.mean()) - chance),
            "distance from chance",
            {lost[0]: {"signal_lost": lost[1]}} if lost else {},
            {
                "verdict": evidence.outcome,
                "last_loss": float(losses.mean()),
                "standard_error": error,
                "classes": classes,
                "chance_loss": chance,
                "steps": len(run.loss),
                "conditions": conditions(run),
                "control_loss": evidence.control.normalized_loss * chance,
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for a run that failed and ended within the tolerance of chance."""
        details = measurement.details
        tolerance = TOLERANCE * details["chance_loss"] + STANDARD_ERRORS * details["standard_error"]
        if details["verdict"] not in FAILED or measurement.value > tolerance:
            return ()
        return (
            self.finding(
                "error",
                layers=tuple(measurement.layers),
                evidence={key: details[key] for key in ("last_loss", "chance_loss", "steps", "control_loss")}
                | {"distance": measurement.value, "tolerance": tolerance},
                explanation=f"After {details['steps']} steps ({details['conditions']}) {_what(details['classes'])} is "
                f"{details['last_loss']:.4f}. The best constant prediction gives {details['chance_loss']:.4f}"
                f"{_of_classes(details['classes'])}: next to nothing of the input was learnt, while a plain control model came down to "
                f"{details['control_loss']:.4f}. {_where(measurement.layers)}",
                fix="Look at the causes beside it, and at the fix if one was found: this number is their symptom.",
                certain=True,
                confidence=0.95,
            ),
        )  # fmt: skip


def _what(classes: int) -> str:
    return "the cross-entropy of its answers to unseen samples" if classes else "the loss on unseen samples"


def _of_classes(classes: int) -> str:
    return f" = ln {classes}" if classes else ""


def _where(layers: Mapping[str, Mapping[str, Any]]) -> str:
    for path, row in layers.items():
        return f"The signal is lost at {path}: {row['signal_lost']}."
    return "No single layer is silent: the signal fades on its way, or the steps undo each other."

"""batch-normalization-lag: moving statistics that the training had no time to learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, number

REMAINDER: Final = 0.1
"""Share of the initial statistics (mean 0, variance 1) that may be left in the moving average; a tenth
of a wrong variance shifts the normalised scale by about a twentieth (RULES.md)."""

KERAS_MOMENTUM: Final = 0.99
"""Keras's default; with it the initial statistics fade in 230 steps."""

CONFIDENCE_KNOWN_STEPS: Final = 0.6
CONFIDENCE_UNKNOWN_STEPS: Final = 0.2
"""Before training nothing lags: it says how many steps an honest validation needs."""


class BatchNormalizationLag(Rule):
    """Moving statistics that lag behind the training.

    What it checks:
        The momentum of every trainable BatchNormalization against the steps that the file's optimizer
        has taken: momentum ** steps is the share of the initial mean 0 and variance 1 that is still in
        the moving statistics.

    Why training suffers:
        Training uses each batch's own statistics, inference the moving ones. As long as those lag, the
        validation loss swings far above the training loss although the weights are fine: the model
        looks as if it did not learn.

    Bad example:
        ```python
        layers.BatchNormalization(momentum=0.999)  # with 20 steps an epoch
        ```

    Fixed example:
        ```python
        layers.BatchNormalization(momentum=0.9)
        ```

    How sure we are:
        With known steps the share is arithmetic and a warning. An untrained file, or one without
        optimizer state, gives information: the number of steps that the momentum asks for.

    Known limitations:
        The steps of the probe never count here, only those of the real run. Statistics that were
        loaded from a trained model do not start at 0 and 1. An epoch's length is not in the file.

    References:
        Ioffe and Szegedy, Batch Normalization, 2015, https://arxiv.org/abs/1502.03167
        https://keras.io/api/layers/normalization_layers/batch_normalization/
    """

    id: ClassVar[str] = "batch-normalization-lag"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "BatchNormalization statistics that lag behind"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("lower-batch-normalization-momentum",)
    specific: ClassVar[frozenset[str]] = frozenset({"lower-batch-normalization-momentum"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1502.03167",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Compute the share of the initial statistics that is left in each layer."""
        momenta = {
            layer.path: float(momentum)
            for layer in facts.graph.flat.layers
            if layer.kind == "BatchNormalization" and layer.trainable
            if isinstance(momentum := layer.config.get("momentum", KERAS_MOMENTUM), int | float)
            and 0 < momentum < 1
        }
        if not momenta:
            return NotApplicable("no trainable BatchNormalization in the model")
        steps = facts.training.steps_taken or 0
        rows = {
            path: {"momentum": momentum, "remainder": momentum**steps, "steps_needed": _steps(momentum)}
            for path, momentum in momenta.items()
        }
        return Measurement(max(momenta.values()) ** steps, "share left", rows, {"steps_taken": steps})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Warn where known steps were too few, inform where no step was taken."""
        steps = int(measurement.details["steps_taken"])
        rows = {
            path: row
            for path, row in measurement.layers.items()
            if (row["remainder"] > REMAINDER if steps else row["momentum"] >= KERAS_MOMENTUM)
        }
        if not rows:
            return ()
        momentum = max(row["momentum"] for row in rows.values())
        needed = max(row["steps_needed"] for row in rows.values())
        if steps:
            text = (
                f"after {steps} steps {number(measurement.value)} of the initial mean 0 and variance 1 is still in "
                "the moving statistics, so inference normalises with wrong numbers while training does not"
            )
        else:
            text = (
                f"the moving statistics are of use only after about {needed} steps; a validation before that "
                "swings, however well the weights learn"
            )
        return (
            self.finding(
                "warning" if steps else "info",
                layers=tuple(rows),
                evidence={"momentum": momentum, "steps_taken": steps, "steps_needed": needed,
                          "initial_share_left": measurement.value},
                explanation=f"The momentum of {listed(rows)} is {number(momentum)}: {text}.",
                fix=f"Set momentum=0.9 on {listed(rows)} ({_steps(0.9)} steps), or train for more steps before validating.",
                confidence=CONFIDENCE_KNOWN_STEPS if steps else CONFIDENCE_UNKNOWN_STEPS,
            ),
        )  # fmt: skip


def _steps(momentum: float) -> int:
    """Steps until the initial statistics have faded to the allowed share."""
    return math.ceil(math.log(REMAINDER) / math.log(momentum))

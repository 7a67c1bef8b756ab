"""undertrained: so few steps were taken that nothing can be said of what the model can learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule

FEW: Final = 100
"""Steps after which next to no network has learnt anything: three epochs of a thousand samples."""

FEW_FOR_LARGE: Final = 1000
LARGE: Final = 1_000_000
"""The same for networks of a million weights and more: the smallest published trainings of such take
some tens of epochs of 50,000 images (CIFAR-10: 400 steps of 128 an epoch)."""

CONFIDENCE: Final = 0.4
"""Fine-tuning a small part of a large network needs few steps."""


class Undertrained(Rule):
    """A training that was only just begun.

    What it checks:
        The optimizer's count of steps against the number of trainable weights: under a hundred steps for
        any network, under a thousand for one of a million weights or more.

    Why training suffers:
        It may not suffer at all: many a network that "does not learn" is at the chance level because it
        was stopped after an epoch or two of little data.

    Bad example:
        ```python
        model.fit(images[:500], labels[:500], epochs=2)  # 32 steps
        ```

    Fixed example:
        ```python
        model.fit(images, labels, epochs=50)
        ```

    How sure we are:
        The count is a fact, what it takes is a rule of thumb: information, never a cause.

    Known limitations:
        Steps of earlier runs do not count where the model was compiled again.

    References:
        https://keras.io/api/models/model_training_apis/
    """

    id: ClassVar[str] = "undertrained"
    group: ClassVar[Group] = "training"
    title: ClassVar[str] = "Only just begun to train"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/models/model_training_apis/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the steps taken, and count the trainable weights."""
        steps = facts.training.steps_taken
        if not steps:
            return NotApplicable(
                "the file does not say that any steps were taken; one saved with its optimizer would settle it"
            )
        return Measurement(float(steps), "steps", {}, {"parameters": facts.graph.cost.trainable_parameters})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Information."""
        steps, parameters = int(measurement.value), measurement.details["parameters"]
        enough = FEW_FOR_LARGE if parameters >= LARGE else FEW
        if steps >= enough:
            return ()
        return (
            self.finding(
                "info",
                evidence={"steps_taken": steps, "trainable_parameters": parameters, "few": enough},
                explanation=f"Only {steps} training steps were taken{f', for {parameters} weights' if parameters else ''}: it may need "
                "nothing but more of them.",
                fix=f"Train for some thousand steps before judging it; {enough} is the least that says anything.",
                confidence=CONFIDENCE,
            ),
        )

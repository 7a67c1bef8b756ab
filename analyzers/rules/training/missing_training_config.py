"""missing-training-config: the file does not say how the model is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed
from analyzers.spec import TrainingSpec

CONFIDENCE: Final = 0.05
"""That it keeps the model from learning: it is a note on what had to be assumed."""


class MissingTrainingConfig(Rule):
    """A file without compile settings.

    What it checks:
        Whether the file, or the sender, names a loss, an optimizer and a learning rate.

    Why training suffers:
        It does not. But a diagnosis without them is one of the architecture with assumed settings: a
        rate or a loss that is wrong in the real training cannot be seen.

    Bad example:
        ```python
        model = keras.Model(inputs, outputs)
        model.save("model.keras")  # never compiled
        ```

    Fixed example:
        ```python
        model.compile(optimizer=keras.optimizers.Adam(1e-4), loss="categorical_crossentropy")
        model.save("model.keras")
        ```

    How sure we are:
        The settings are not in the file. Information only.

    Known limitations:
        `save(include_optimizer=False)` and old Keras versions leave them out although the model was
        compiled. Files of weights alone are passed over: they never hold any.

    References:
        https://keras.io/api/models/model_saving_apis/
    """

    id: ClassVar[str] = "missing-training-config"
    group: ClassVar[Group] = "training"
    title: ClassVar[str] = "No training settings in the file"
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/models/model_saving_apis/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Count which of loss, optimizer and rate are missing; weights alone never hold any."""
        provenance = facts.spec.provenance
        if provenance is not None and provenance.format == "keras-weights":
            return NotApplicable(
                "a file of weights has no place for training settings; the whole model, saved with model.save(), does"
            )
        if not facts.spec.has_graph:
            return NotApplicable("without a graph it is not known which outputs the settings are for")
        missing = _missing(facts.spec.training)
        return Measurement(float(len(missing)), "settings", {}, {"missing": missing})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Information where anything is missing."""
        missing = measurement.details["missing"]
        if not missing:
            return ()
        return (
            self.finding(
                "info",
                evidence={"missing": missing},
                explanation=f"The file does not hold the {listed(missing)} that the model is trained with, so they had "
                "to be assumed; a fault in the real ones cannot be seen.",
                fix="Save the model compiled as you train it, or give loss, optimizer and learning_rate with the file.",
                confidence=CONFIDENCE,
            ),
        )


def _missing(training: TrainingSpec | None) -> list[str]:
    if training is None:
        return ["loss", "optimizer", "learning rate"]
    found = {
        "loss": any(loss is not None for loss in training.losses),
        "optimizer": training.optimizer is not None,
        "learning rate": training.learning_rate is not None,
    }
    return [name for name, there in found.items() if not there]

"""train-inference-gap: the same batch has a low loss in training mode and a high one in inference mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.report import finite
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import FAILED, conditions, control_failed
from analyzers.rules.words import listed, number

HIGHEST_GAP: Final = 0.5
"""Inference-mode over training-mode loss, less one (RULES.md: over 50 % apart)."""

LEAST_GAP: Final = 0.1
"""The same difference as a share of chance, so that two tiny losses do not count as apart."""

LOW: Final = 0.5
"""Training-mode loss, as a share of the way from its floor to chance, below which the model has learnt
something in training mode."""

LEAST_BATCH: Final = 8
"""Smaller batches make batch statistics noise: nothing is claimed then (PROBE.md)."""


class TrainInferenceGap(Rule):
    """The same batch has a low loss in training mode and a high one in inference mode.

    What it checks:
        The loss of one batch at the end of the deciding run in training mode, and in inference mode
        after BatchNormalization's moving statistics were re-estimated from probe batches. It is told
        when the first is low and the second over 50 % higher, in a model that did not learn.

    Why training suffers:
        Training looks well while every prediction is bad, and the validation loss swings. Batch
        statistics that carry the answer, too small a batch, or Dropout in front of BatchNormalization,
        whose variance differs between the two modes, make the network rely on what is not there at
        inference.

    Bad example:
        ```python
        x = layers.Dropout(0.5)(x)
        x = layers.BatchNormalization()(x)
        ```

    Fixed example:
        ```python
        x = layers.BatchNormalization()(x)
        x = layers.Dropout(0.3)(x)
        ```

    How sure we are:
        Measured on one batch in both modes. Only a gap that survives the re-estimation counts: moving
        statistics always lag in a short run (a fresh ResNet50: training 0.000, inference 5.4).

    Known limitations:
        The lag of the moving statistics in the real run is batch-normalization-lag's question. With
        batches under eight samples nothing is claimed.

    References:
        Li et al., Understanding the Disharmony between Dropout and Batch Normalization, 2019,
        https://arxiv.org/abs/1801.05134
    """

    id: ClassVar[str] = "train-inference-gap"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A gap between training mode and inference mode"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = ("reduce-dropout", "lower-batch-normalization-momentum")
    specific: ClassVar[frozenset[str]] = frozenset({"reduce-dropout"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1801.05134",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Losses of the final batch in either mode."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        if evidence.batch_size < LEAST_BATCH:
            return NotApplicable(
                f"batches of {evidence.batch_size} samples are too small to tell; a larger memory budget would settle it"
            )
        normalizing = [layer.path for layer in facts.graph.flat.layers if layer.kind == "BatchNormalization"]
        run = evidence.decision
        span = evidence.chance_loss - evidence.floor_loss
        if span <= 0:
            return NotApplicable("the loss is the same whatever the model answers")
        training, inference = run.end.training_loss, run.end.recalibrated_loss
        return Measurement(
            finite(inference / training - 1 if training > 0 else None) or 0.0,
            "inference-mode over training-mode loss, less one",
            {path: {"kind": "BatchNormalization"} for path in normalizing},
            {
                "verdict": evidence.outcome,
                "training_loss": finite(training),
                "inference_loss": finite(run.end.inference_loss),
                "recalibrated_loss": finite(inference),
                "training_share": finite((training - evidence.floor_loss) / span),
                "gap_of_chance": finite((inference - training) / span),
                "conditions": conditions(run),
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for a gap that survives in a run that failed."""
        details = measurement.details
        low, gap = details["training_share"], details["gap_of_chance"]
        if details["verdict"] not in FAILED or low is None or gap is None:
            return ()
        if measurement.value <= HIGHEST_GAP or gap <= LEAST_GAP or low >= LOW:
            return ()
        layers = tuple(measurement.layers)
        suspects = (
            f" The layers that differ between the modes: {listed(layers)}, and Dropout." if layers else ""
        )
        return (
            self.finding(
                "warning",
                layers=layers,
                evidence={key: details[key] for key in ("training_loss", "inference_loss", "recalibrated_loss")}
                | {"gap": measurement.value},
                explanation=f"At the end of the run ({details['conditions']}) the same batch has a loss of "
                f"{number(details['training_loss'])} in training mode and {number(details['recalibrated_loss'])} in "
                f"inference mode, with moving statistics re-estimated.{suspects}",
                fix="Put Dropout behind BatchNormalization, or lower its rate; use a larger batch, or LayerNormalization, "
                "which computes the same in both modes.",
                certain=True,
                confidence=0.85,
            ),
        )  # fmt: skip

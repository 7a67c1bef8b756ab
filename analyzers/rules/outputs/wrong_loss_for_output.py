"""wrong-loss-for-output: a loss that cannot train what the output is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.report import Severity
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.dependence import feeds_only
from analyzers.rules.words import subject
from analyzers.spec import TrainingSpec
from analyzers.spec.graph import Graph
from analyzers.spec.output_heads import Head, heads

ACCURACY: Final = re.compile(r"accurac|precision|recall|f1|auc", re.IGNORECASE)
"""Names of measures that count right answers: step functions, whose gradient is zero."""

CONFUSED: Final[Mapping[str, str]] = {
    "CategoricalCrossentropy": "sparse_categorical_accuracy",
    "SparseCategoricalCrossentropy": "categorical_accuracy",
}
"""Loss -> the metric that takes its labels in the other form."""

CONFIDENCE_SQUARED: Final = 0.3
"""A squared error on a softmax (Brier's score) trains most networks, if slower (Golik et al. 2013)."""

CONFIDENCE_LABELS: Final = 0.5
CONFIDENCE_ACCURACY: Final = 0.9


_LACK: Final = {False: "no loss while others have one", True: "a loss whose weight is 0"}
_WANTED: Final = {False: "a loss", True: "a loss weight above 0"}
"""In words, by whether the output has a loss at all."""


class WrongLossForOutput(Rule):
    """A loss that cannot train what the output is.

    What it checks:
        Categorical losses over a single unit; accuracy and its kin in place of a loss; regression
        losses on a softmax over classes; a loss and a metric that take the labels in different forms
        (one-hot and class numbers); outputs with weights of their own and no loss, while others have
        one.

    Why training suffers:
        Over a single unit a categorical cross-entropy is the same number for every output. Accuracy is a
        step function, whose gradient is zero everywhere. A squared error on a softmax is flat where
        the softmax is sure and wrong, which is where it should learn most. Weights that lead only to an
        output without a loss get no gradient.

    Bad example:
        ```python
        outputs = layers.Dense(1, activation="sigmoid")(x)
        model.compile(loss="categorical_crossentropy")
        ```

    Fixed example:
        ```python
        outputs = layers.Dense(1, activation="sigmoid")(x)
        model.compile(loss="binary_crossentropy")
        ```

    How sure we are:
        One unit under a categorical loss is certain. Accuracy as a loss is known by its name. A squared
        error on a softmax trains many networks all the same, so it is a warning for the probe to decide.

    Known limitations:
        The labels are not in the file, so their form shows only where a metric contradicts the loss.

    References:
        https://keras.io/api/losses/probabilistic_losses/
        Golik et al., Cross-Entropy vs. Squared Error Training, 2013.
    """

    id: ClassVar[str] = "wrong-loss-for-output"
    group: ClassVar[Group] = "outputs"
    title: ClassVar[str] = "Loss that does not suit the output"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("fix-loss",)
    specific: ClassVar[frozenset[str]] = frozenset({"fix-loss"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/losses/probabilistic_losses/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Put every output beside its loss, and the losses beside the metrics."""
        training = facts.training
        found = heads(facts.graph, training)
        if all(head.loss is None for head in found):
            return NotApplicable("the file names no loss; the option loss would settle it")
        weights = (*(training.loss_weights or ()), *(1.0 for _ in found))
        rows = [_row(facts.graph, head, weight) for head, weight in zip(found, weights, strict=False)]
        return Measurement(
            float(len(rows)), "outputs", {}, {"outputs": rows, "confused": _confused(training)}
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Every output by the first of the faults that it has, then labels in two forms."""
        found = (self._judged(row) for row in measurement.details["outputs"])
        confused = measurement.details["confused"]
        return (
            *(finding for finding in found if finding is not None),
            *((self._labels(confused),) if confused else ()),
        )

    def _judged(self, row: Mapping[str, Any]) -> Finding | None:
        layer, loss, squashed = row["layer"], row["loss"], row["activation"] == "softmax"
        if not row["trained"]:
            return self._no_loss(row) if row["own_layers"] else None
        if row["family"] in ("categorical", "sparse") and row["units"] == 1 and not squashed:
            return self._told(
                row,
                "error",
                title="Categorical loss over one unit",
                explanation=f"{loss} compares the classes of {layer} with each other, and there is only one: the "
                "loss is the same number whatever the model says, and every gradient is zero.",
                fix=f"Train with binary_crossentropy and a sigmoid for yes/no, or give {layer} one unit a class.",
                confidence=1.0,
                certain=True,
            )
        if ACCURACY.search(loss) and not row["family"]:
            return self._told(
                row,
                "error",
                title="A measure of right answers in place of a loss",
                explanation=f"{layer} is trained with {loss}, which counts right answers: it does not change when the "
                "weights change a little, so its gradient is zero.",
                fix=f"Train {layer} with a cross-entropy, and give {loss} as a metric.",
                confidence=CONFIDENCE_ACCURACY,
            )
        if row["family"] == "regression" and squashed and not row["mirrors_input"]:
            return self._told(
                row,
                "warning",
                title="Regression loss on a softmax",
                explanation=f"{layer} gives probabilities of {row['units']} classes, and {loss} compares them like "
                "measured values: where the softmax is sure and wrong its gradient is nearly zero.",
                fix=f"Train {layer} with categorical_crossentropy (or its sparse form for class numbers).",
                confidence=CONFIDENCE_SQUARED,
            )
        return None

    def _told(
        self,
        row: Mapping[str, Any],
        severity: Severity,
        *,
        title: str,
        explanation: str,
        fix: str,
        confidence: float,
        certain: bool = False,
    ) -> Finding:
        return self.finding(
            severity,
            title=title,
            layers=(row["layer"],),
            evidence=dict(row),
            explanation=explanation,
            fix=fix,
            certain=certain,
            confidence=confidence,
        )

    def _no_loss(self, row: Mapping[str, Any]) -> Finding:
        own = row["own_layers"]
        return self.finding(
            "warning",
            title="Output without a loss",
            layers=own,
            evidence={"output": row["output"], "layers_without_gradient": len(own)},
            explanation=f"The output {row['output']} has {_LACK[bool(row['loss'])]}, and {subject(own, 'leads', 'lead')} to it "
            "alone: these weights never get a gradient.",
            fix=f"Give {row['output']} {_WANTED[bool(row['loss'])]}, or leave it out of the model.",
            certain=True,
            confidence=1.0,
        )

    def _labels(self, confused: Mapping[str, str]) -> Finding:
        return self.finding(
            "warning",
            title="Loss and metric for labels of different forms",
            evidence=dict(confused),
            explanation=f"{confused['loss']} and the metric {confused['metric']} take labels in different forms, one "
            "one-hot rows and the other class numbers: one of them is fed what it misreads.",
            fix="Use sparse_categorical_crossentropy and sparse_categorical_accuracy for class numbers, "
            "categorical_crossentropy and categorical_accuracy for one-hot rows.",
            confidence=CONFIDENCE_LABELS,
        )


def _row(graph: Graph, head: Head, weight: float) -> dict[str, Any]:
    loss = head.loss.kind if head.loss is not None else ""
    trained = bool(loss) and weight != 0
    return {
        "output": head.node.path,
        "layer": head.producer.path,
        "activation": head.activation,
        "loss": loss,
        "trained": trained,
        "family": head.family or "",
        "units": head.units,
        "mirrors_input": head.mirrors_input,
        "own_layers": [] if trained else feeds_only(graph, head.node),
    }


def _confused(training: TrainingSpec) -> dict[str, str]:
    """A loss and a metric that read the labels differently; empty where the file has one loss for several."""
    for loss in training.losses[:1] if len(training.losses) == 1 else ():
        metric = CONFUSED.get(loss.kind if loss is not None else "", "")
        if loss is not None and metric in training.metrics:
            return {"loss": loss.kind, "metric": metric}
    return {}

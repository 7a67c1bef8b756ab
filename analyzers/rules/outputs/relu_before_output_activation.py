"""relu-before-output-activation: class scores that cannot be negative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.spec import kinds
from analyzers.spec.output_heads import final_activations, heads

CONFIDENCE_SOFTMAX: Final = 0.5
CONFIDENCE_OUTPUT: Final = 0.6
"""A softmax of positive scores can still learn while enough of its units live."""


class ReluBeforeOutputActivation(Rule):
    """Class scores that go through a ReLU.

    What it checks:
        Whether a ReLU (also as a layer of its own, or ReLU6) stands directly under the softmax or
        sigmoid of an output, or is itself the output of a classifier.

    Why training suffers:
        A sigmoid of a number that is not negative is at least 0.5, so "no" can never be said: the loss
        of every negative sample stays above ln 2. Under a softmax, a class whose score is negative for
        every sample gets no gradient any more, and once all are, every answer is uniform for ever.

    Bad example:
        ```python
        x = layers.Dense(10, activation="relu")(x)
        outputs = layers.Softmax()(x)
        ```

    Fixed example:
        ```python
        x = layers.Dense(10)(x)
        outputs = layers.Softmax()(x)
        ```

    How sure we are:
        Under a sigmoid with binary cross-entropy the bound is arithmetic, and certain. Under a softmax
        it depends on how many units die, which the probe shows.

    Known limitations:
        A ReLU in front of the weights of the last layer is the usual thing and not meant here.

    References:
        Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, 2010.
    """

    id: ClassVar[str] = "relu-before-output-activation"
    group: ClassVar[Group] = "outputs"
    title: ClassVar[str] = "ReLU on the class scores"
    optional: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("fix-output-activation",)
    specific: ClassVar[frozenset[str]] = frozenset({"fix-output-activation"})

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the last two activations of every output and the family of its loss."""
        training = facts.training if facts.has("training") else None
        rows: list[dict[str, Any]] = []
        for head in heads(facts.graph, training):
            found = final_activations(facts.graph, head.node)
            if found:
                rows.append(
                    {
                        "output": head.node.path,
                        "activations": [name for _, name in found],
                        "layers": list(dict.fromkeys(node.path for node, _ in found[:2])),
                        "classifier": head.classifies,
                    }
                )
        if not rows:
            return NotApplicable("no output ends in an activation")
        relus = sum(name in kinds.RELU_LIKE for row in rows for name in row["activations"][:2])
        return Measurement(float(relus), "ReLUs at outputs", {}, {"outputs": rows})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Certain under a sigmoid, an error under a softmax or as a classifier's output."""
        found = (self._judged(row) for row in measurement.details["outputs"])
        return tuple(finding for finding in found if finding is not None)

    def _judged(self, row: Mapping[str, Any]) -> Finding | None:
        last, *before = row["activations"]
        under = bool(before) and before[0] in kinds.RELU_LIKE
        if under and last in ("sigmoid", "hard_sigmoid"):
            return self._finding(
                row, f"{last} of a number that is not negative is at least 0.5, so no sample can be answered with no",
                certain=row["classifier"], confidence=1.0,
            )  # fmt: skip
        if under and last == "softmax":
            return self._finding(
                row, "a class whose score is negative for every sample gets no gradient any more, and no class can be "
                "ruled out", certain=False, confidence=CONFIDENCE_SOFTMAX,
            )  # fmt: skip
        if last in kinds.RELU_LIKE and row["classifier"]:
            return self._finding(
                row, "its loss takes class scores or probabilities, and a ReLU that is negative for every sample gives "
                "0 and no gradient", certain=False, confidence=CONFIDENCE_OUTPUT,
            )  # fmt: skip
        return None

    def _finding(self, row: Mapping[str, Any], effect: str, *, certain: bool, confidence: float) -> Finding:
        names = [*row["layers"]]
        return self.finding(
            "error",
            layers=names,
            evidence={"output": row["output"], "activations": row["activations"]},
            explanation=f"{names[-1]} ends in a ReLU right at the output {row['output']}: {effect}.",
            fix=f"Remove the ReLU of {names[-1]}.",
            certain=certain,
            confidence=confidence,
        )

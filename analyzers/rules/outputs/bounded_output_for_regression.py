"""bounded-output-for-regression: an output that cannot take the values it is trained for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.report import Severity
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.spec.output_heads import heads

BOUNDS: Final[Mapping[str, str]] = {
    "relu": "is never negative", "relu6": "lies between 0 and 6", "sigmoid": "lies between 0 and 1",
    "hard_sigmoid": "lies between 0 and 1", "tanh": "lies between -1 and 1", "hard_tanh": "lies between -1 and 1",
    "softsign": "lies between -1 and 1", "softplus": "is always positive", "exponential": "is always positive",
}  # fmt: skip
"""Activation -> what bounds its output.  Softmax is wrong-loss-for-output's."""

ONE_SIDED: Final = frozenset({"softplus", "exponential"})
"""Activations that are usual for positive targets and have a gradient everywhere."""

CONFIDENCE: Final = 0.3
"""Targets are often scaled to the bound (prices are positive, pixels lie in 0-1)."""


class BoundedOutputForRegression(Rule):
    """An output whose activation bounds it, under a loss for values of any size.

    What it checks:
        The activation that really makes each output with a regression loss (squared, absolute,
        Huber, log-cosh error ...), walking back through reshapes, dropout and separate activation
        layers.

    Why training suffers:
        Values outside the bound can never be met: the loss stays above the variance of what lies
        outside. A ReLU output that is negative for every sample gives 0 and has no gradient, so the
        model predicts 0 for ever; a sigmoid or tanh at its end has next to none.

    Bad example:
        ```python
        outputs = layers.Dense(1, activation="relu")(x)
        model.compile(loss="mse")
        ```

    Fixed example:
        ```python
        outputs = layers.Dense(1)(x)
        model.compile(loss="mse")
        ```

    How sure we are:
        The bound is certain, whether the targets lie inside is not in the file. It is information for
        outputs with the shape of an input or over positions (autoencoders, generators, masks), which
        are usually scaled to the bound.

    Known limitations:
        Targets are not in the file; send `target_range` where it is known.

    References:
        Goodfellow et al., Deep Learning, 2016, section 6.2.2.
    """

    id: ClassVar[str] = "bounded-output-for-regression"
    group: ClassVar[Group] = "outputs"
    title: ClassVar[str] = "Bounded output under a regression loss"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("fix-output-activation",)
    specific: ClassVar[frozenset[str]] = frozenset({"fix-output-activation"})
    references: ClassVar[tuple[str, ...]] = ("https://www.deeplearningbook.org/contents/mlp.html",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the activation of every output with a regression loss."""
        regressions = [head for head in heads(facts.graph, facts.training) if head.family == "regression"]
        if not regressions:
            return NotApplicable("no output is trained with a regression loss of Keras's own")
        rows = {
            head.producer.path: {
                "activation": head.activation,
                "loss": head.loss.kind if head.loss is not None else "",
                "mirrors_input": head.mirrors_input,
            }
            for head in regressions
        }
        bounded = sum(row["activation"] in BOUNDS for row in rows.values())
        return Measurement(float(bounded), "bounded outputs", rows)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning; information where the targets are probably bounded as well."""
        return tuple(
            self._finding(path, row)
            for path, row in measurement.layers.items()
            if row["activation"] in BOUNDS
        )

    def _finding(self, path: str, row: Mapping[str, Any]) -> Finding:
        name, loss = row["activation"], row["loss"]
        meant = row["mirrors_input"] or name in ONE_SIDED
        severity: Severity = "info" if meant else "warning"
        dead = (
            " Where it is negative for every sample it answers 0 and has no gradient."
            if "relu" in name
            else ""
        )
        return self.finding(
            severity,
            layers=(path,),
            evidence=dict(row),
            explanation=f"{path} ends in {name}, which {BOUNDS[name]}, and is trained with {loss}: targets outside "
            f"can never be met.{dead}",
            fix=f"Remove the activation of {path}, or scale the targets into its bound.",
            confidence=CONFIDENCE,
        )

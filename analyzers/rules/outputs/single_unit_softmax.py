"""single-unit-softmax: softmax over an axis of one unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, subject
from analyzers.spec.output_heads import heads


class SingleUnitSoftmax(Rule):
    """Softmax over a single unit.

    What it checks:
        Every output that a softmax produces, also as a layer of its own and through reshapes and
        dropout: the size of the axis over which it normalises.

    Why training suffers:
        Softmax divides by the sum over the axis. Over one unit that is x / x: the output is 1 for every
        input and all weights, and its gradient is exactly zero. Some backends compute a cross-entropy from the
        scores in front of the softmax; there the loss falls, and what the model answers is 1 all the same.

    Bad example:
        ```python
        outputs = layers.Dense(1, activation="softmax")(x)
        ```

    Fixed example:
        ```python
        outputs = layers.Dense(1, activation="sigmoid")(x)
        ```

    How sure we are:
        Certain: it is a fact of arithmetic and needs no probe.

    Known limitations:
        Only outputs are looked at. A softmax over one unit inside the model, as attention weights
        sometimes have it, passes a constant on and does not stop the rest from learning.

    References:
        https://keras.io/api/layers/activations/#softmax-function
    """

    id: ClassVar[str] = "single-unit-softmax"
    group: ClassVar[Group] = "outputs"
    title: ClassVar[str] = "Softmax over one unit: the output is the constant 1"
    interventions: ClassVar[tuple[str, ...]] = ("fix-output-activation",)
    specific: ClassVar[frozenset[str]] = frozenset({"fix-output-activation"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/layers/activations/#softmax-function",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the size of the axis of every softmax that makes an output."""
        found = heads(facts.graph, None)
        softmaxes = [
            (head.producer.path, head.units, head.node.path)
            for head in found
            if head.activation == "softmax" and head.units is not None
        ]
        if not softmaxes:
            return NotApplicable("no output is made by a softmax over an axis of known size")
        return Measurement(
            float(min(units for _, units, _ in softmaxes)),
            "units",
            {path: {"units": units, "output": output} for path, units, output in softmaxes},
            {"outputs": len(found)},
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """One unit is an error."""
        constant = [path for path, row in measurement.layers.items() if row["units"] == 1]
        if not constant:
            return ()
        total = measurement.details["outputs"]
        return (
            self.finding(
                "error",
                layers=constant,
                evidence={"units": 1, "constant_outputs": len(constant), "outputs": total},
                explanation=f"{subject(constant, 'is', 'are each')} a softmax over one unit, which is 1 whatever goes in. "
                "No training changes that answer, also where a cross-entropy that is computed from the score in front "
                "of the softmax lets the loss fall.",
                fix=f'For a yes/no target give {listed(constant)} activation="sigmoid" and train with '
                "binary_crossentropy; for K classes give it K units.",
                certain=True,
                confidence=1.0,
            ),
        )

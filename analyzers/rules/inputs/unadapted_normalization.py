"""unadapted-normalization: a Normalization layer that never saw data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed
from analyzers.spec.affine import normalization_constants
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import is_scaling

CONFIDENCE_NO_COUNT: Final = 0.9
"""Mean 0, variance 1 and no values counted: ``adapt`` was not called."""

CONFIDENCE_UNCOUNTED: Final = 0.4
"""The same without a counter in the file: adapting to standardised data leaves nearly that too."""


class UnadaptedNormalization(Rule):
    """A Normalization layer that was never adapted.

    What it checks:
        Normalization layers whose statistics come from `adapt()`: mean 0 and variance 1 in every
        channel, with a counter at zero where the file has one.

    Why training suffers:
        The layer does nothing. Whoever reads the code believes that the input is standardised, but the
        weights get it as it is fed, with all that raw pixels or columns of different scale do to them.

    Bad example:
        ```python
        normalization = layers.Normalization()
        model = keras.Sequential([keras.Input((13,)), normalization, layers.Dense(1)])
        ```

    Fixed example:
        ```python
        normalization = layers.Normalization()
        normalization.adapt(training_features)
        model = keras.Sequential([keras.Input((13,)), normalization, layers.Dense(1)])
        ```

    How sure we are:
        That the layer does nothing is certain where the counter is zero; that it matters is for the
        probe to show. Behind another scaling layer it is information, since the scale is dealt with.

    Known limitations:
        Data that were standardised before they were fed need no adapting; the file does not tell.

    References:
        https://keras.io/api/layers/preprocessing_layers/numerical/normalization/
    """

    id: ClassVar[str] = "unadapted-normalization"
    group: ClassVar[Group] = "inputs"
    title: ClassVar[str] = "Normalization layer that was never adapted"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = ("standardize-inputs", "rescale-inputs")
    specific: ClassVar[frozenset[str]] = frozenset({"standardize-inputs", "rescale-inputs"})
    references: ClassVar[tuple[str, ...]] = (
        "https://keras.io/api/layers/preprocessing_layers/numerical/normalization/",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Find Normalization layers with the statistics that they are created with."""
        graph = facts.graph
        rows, read = {}, 0
        for node in graph.nodes:
            layer = graph.layer(node)
            constants = normalization_constants(facts.spec, layer) if layer.kind == "Normalization" else None
            if constants is None or constants.given:
                continue
            read += 1
            if constants.neutral and not constants.count:
                rows[node.path] = {
                    "counted": -1.0 if constants.count is None else constants.count,
                    "behind_scaling": _behind_scaling(graph, node),
                }
        if not read:
            return NotApplicable("no Normalization layer that takes its statistics from adapt()")
        return Measurement(float(len(rows)), "layers", rows)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Warn; inform where every such layer has a scaling layer in front."""
        rows = measurement.layers
        if not rows:
            return ()
        behind = all(row["behind_scaling"] for row in rows.values())
        counted = all(row["counted"] == 0 for row in rows.values())
        explanation = f"The statistics of {listed(rows)} are still mean 0 and variance 1: adapt() was never called, so nothing is normalised."
        if behind:
            explanation += " Another layer in front scales the input, so the scale is dealt with."
        return (
            self.finding(
                "info" if behind else "warning",
                layers=tuple(rows),
                evidence={"layers": len(rows), "counter_is_zero": counted, "behind_scaling": behind},
                explanation=explanation,
                fix=f"Call adapt(training_data) on {listed(rows)} before the model is trained, or remove it.",
                confidence=CONFIDENCE_NO_COUNT if counted else CONFIDENCE_UNCOUNTED,
            ),
        )


def _behind_scaling(graph: Graph, node: Node) -> bool:
    before = graph.reachable(graph.before(node), graph.before)
    return any(is_scaling(graph, other) for other in before)

"""dropout-before-batch-normalization: a variance in training that inference does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, number, subject
from analyzers.spec import kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import is_weighted

SHIFTING: Final = kinds.DROPOUTS - {"AlphaDropout"}
"""Dropouts that change the variance; AlphaDropout keeps it."""

CONFIDENCE: Final = 0.5
CONFIDENCE_APART: Final = 0.2
"""The gap is real for every such pair (Li et al. 2018, table 2); how much it costs depends on the rate."""


class DropoutBeforeBatchNormalization(Rule):
    """Dropout that feeds a BatchNormalization.

    What it checks:
        BatchNormalization layers in front of which, with nothing but activations, pooling or reshapes
        between, stands a dropout layer; and those with one layer of weights between the two.

    Why training suffers:
        Dropout at rate p raises the variance of what it passes by 1 / (1 - p) in training only.
        BatchNormalization keeps that variance as a moving average and divides by it in inference, where
        it is smaller: validation is worse than training, and swings.

    Bad example:
        ```python
        x = layers.Dropout(0.5)(x)
        x = layers.BatchNormalization()(x)
        ```

    Fixed example:
        ```python
        x = layers.BatchNormalization()(x)
        x = layers.Dropout(0.5)(x)
        ```

    How sure we are:
        The shift is arithmetic. It harms the inference-mode loss and not learning itself, so it is a
        warning, and information where weights lie between.

    Known limitations:
        The same effect through a residual addition is small and not told.

    References:
        Li et al., Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift,
        2018, https://arxiv.org/abs/1801.05134
    """

    id: ClassVar[str] = "dropout-before-batch-normalization"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Dropout in front of BatchNormalization"
    interventions: ClassVar[tuple[str, ...]] = ("reorder-dropout-and-normalization", "reduce-dropout")
    specific: ClassVar[frozenset[str]] = frozenset({"reorder-dropout-and-normalization", "reduce-dropout"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1801.05134",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Walk back from every BatchNormalization to the dropout that feeds it."""
        graph = facts.graph
        normalizations = [node for node in graph.nodes if graph.layer(node).kind == "BatchNormalization"]
        if not normalizations:
            return NotApplicable("the model has no BatchNormalization")
        layers: dict[str, dict[str, Any]] = {}
        for node in normalizations:
            if (found := _dropout_before(graph, node)) is not None:
                dropout, weights = found
                rate = float(graph.layer(dropout).config.get("rate", 0.0))  # type: ignore[arg-type]  # checked there
                layers[dropout.path] = {
                    "normalization": node.path,
                    "rate": rate,
                    "weights_between": weights,
                    "variance_ratio": 1 / (1 - rate),
                }
        return Measurement(float(len(layers)), "dropouts", layers)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for those right in front, information for those a layer away."""
        found = []
        for apart in (False, True):
            rows = {
                path: row for path, row in measurement.layers.items() if bool(row["weights_between"]) is apart
            }
            if not rows:
                continue
            ratio = max(row["variance_ratio"] for row in rows.values())
            where = "one layer of weights in front of" if apart else "right in front of"
            fed = listed(row["normalization"] for row in rows.values())
            found.append(
                self.finding(
                    "info" if apart else "warning",
                    layers=tuple(rows),
                    evidence={"layers": len(rows), "largest_rate": max(row["rate"] for row in rows.values()),
                              "variance_ratio": ratio},
                    explanation=f"{subject(rows, 'stands', 'stand')} {where} {fed}: in training that raises the variance up to "
                    f"{number(ratio)} times, and the moving variance that inference divides by is that of training.",
                    fix=f"Move {listed(rows)} behind the last BatchNormalization, or lower the rate.",
                    confidence=CONFIDENCE_APART if apart else CONFIDENCE,
                )
            )  # fmt: skip
        return found


def _dropout_before(graph: Graph, node: Node) -> tuple[Node, list[str]] | None:
    """The dropout on the straight way to a node and the weighted layers between, at most one."""
    weights: list[str] = []
    while len(before := graph.before(node)) == 1:
        node = before[0]
        layer = graph.layer(node)
        rate = layer.config.get("rate")
        if layer.kind in SHIFTING and isinstance(rate, int | float) and 0 < rate < 1:
            return node, weights
        if is_weighted(layer):
            weights.append(node.path)
        if len(weights) > 1 or not layer.known or layer.kind in kinds.NORMALIZATIONS:
            return None
    return None

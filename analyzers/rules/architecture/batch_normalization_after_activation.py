"""batch-normalization-after-activation: BatchNormalization behind the activation or pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, subject
from analyzers.spec import kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import activation, is_nonlinear, is_weighted, keeps_scale

CONFIDENCE: Final = 0.1
"""Both orders train; the usual one is a little better in most comparisons and worse in some."""


class BatchNormalizationAfterActivation(Rule):
    """BatchNormalization behind the activation.

    What it checks:
        What a BatchNormalization gets: whether an activation or a pooling layer lies between it and the
        weights in front of it. One with an activation of its own behind it is passed over: that is the
        pre-activation order of ResNetV2 and DenseNet.

    Why training suffers:
        It seldom does. Behind a ReLU the values are not symmetric around zero, so the normalisation
        turns half of the zeros into a constant negative value, and the next layer gets no exact zeros.
        In front of the activation it keeps half of the units active, which is what it was made for.

    Bad example:
        ```python
        x = layers.Conv2D(32, 3, activation="relu")(x)
        x = layers.BatchNormalization()(x)
        ```

    Fixed example:
        ```python
        x = layers.Conv2D(32, 3, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        ```

    How sure we are:
        Style advice: information, never a cause.

    Known limitations:
        Does not tell whether the order was chosen on purpose.

    References:
        Ioffe and Szegedy, Batch Normalization, 2015, section 3.2, https://arxiv.org/abs/1502.03167
    """

    id: ClassVar[str] = "batch-normalization-after-activation"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "BatchNormalization behind the activation"
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1502.03167",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Find what lies between the weights and each BatchNormalization."""
        graph = facts.graph
        normalizing = [node for node in graph.nodes if graph.layer(node).kind == "BatchNormalization"]
        if not normalizing:
            return NotApplicable("no BatchNormalization in the model")
        rows = {
            node.path: {"behind": between}
            for node in normalizing
            if (between := _between(graph, node)) and not _activated(graph, node)
        }
        return Measurement(float(len(rows)), "layers", rows, {"of": len({n.path for n in normalizing})})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Information for all of them together."""
        rows = measurement.layers
        if not rows:
            return ()
        behind = [str(row["behind"]) for row in rows.values()]
        return (
            self.finding(
                "info",
                layers=tuple(rows),
                evidence={"layers": len(rows), "of": measurement.details["of"]},
                explanation=f"{subject(rows, 'comes', 'come')} behind the activation or pooling in {listed(behind)}. Both orders train; normalising in front of the activation is what most networks do.",
                fix="Move each BatchNormalization between the weights and their activation.",
                confidence=CONFIDENCE,
            ),
        )


def _between(graph: Graph, node: Node) -> str:
    """The activation or pooling layer in front of a normalisation, up to the weights; empty without one."""
    while len(before := graph.before(node)) == 1:
        node = before[0]
        layer = graph.layer(node)
        if is_nonlinear(layer) or layer.kind in kinds.POOLING:
            return layer.path if _weights_in_front(graph, node) else ""
        if is_weighted(layer) or not keeps_scale(graph, node):
            return ""
    return ""


def _weights_in_front(graph: Graph, node: Node) -> bool:
    return any(is_weighted(graph.layer(other)) for other in graph.reachable([node], graph.before))


def _activated(graph: Graph, node: Node) -> bool:
    """Whether an activation follows a normalisation before the next weights do."""
    stack, seen = list(graph.after(node)), set[Node]()
    while stack:
        current = stack.pop()
        if current in seen or is_weighted(graph.layer(current)):
            continue
        seen.add(current)
        if activation(graph.layer(current)) not in (None, "linear"):
            return True
        stack.extend(graph.after(current))
    return False

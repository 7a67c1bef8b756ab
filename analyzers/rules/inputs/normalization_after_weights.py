"""normalization-after-weights: input scaling that stands behind the first trainable layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed
from analyzers.spec.affine import affine_of
from analyzers.spec.graph import Graph, Node
from analyzers.spec.model_inputs import model_inputs
from analyzers.spec.roles import is_weighted, reached

PIXEL_SCALE: Final = 1 / 16
"""Multiplying by less than this only makes sense for pixels far above 1 (1/255, 1/127.5, 1/64)."""

CONFIDENCE: Final = 0.5
"""A scaling behind weights can be meant; made for pixels, and with raw ones in front, it seldom is."""


class NormalizationAfterWeights(Rule):
    """Input scaling that stands behind the first trainable layer.

    What it checks:
        Normalization layers, and Rescaling layers with a factor made for pixels, that every way from
        the inputs reaches only through trainable weights, while those weights get the input unscaled
        and more weights follow. Output layers that map back to pixels or units are passed over.

    Why training suffers:
        The first layer gets the raw input that the scaling was meant for, and what reaches the scaling
        are features, which it makes some hundred times too small.

    Bad example:
        ```python
        x = layers.Conv2D(32, 3, activation="relu")(inputs)
        x = layers.Rescaling(1 / 255)(x)
        x = layers.Conv2D(32, 3, activation="relu")(x)
        ```

    Fixed example:
        ```python
        x = layers.Rescaling(1 / 255)(inputs)
        x = layers.Conv2D(32, 3, activation="relu")(x)
        x = layers.Conv2D(32, 3, activation="relu")(x)
        ```

    How sure we are:
        The place is a fact, that it is a mistake is likely, and that it stops training depends on the
        data: the probe tries the model with its input scaled.

    Known limitations:
        Arithmetic with numbers is not judged, since it scales residuals and attention too.

    References:
        https://keras.io/guides/preprocessing_layers/
    """

    id: ClassVar[str] = "normalization-after-weights"
    group: ClassVar[Group] = "inputs"
    title: ClassVar[str] = "Input scaling behind the first weights"
    optional: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = ("rescale-inputs", "standardize-inputs")
    specific: ClassVar[frozenset[str]] = frozenset({"rescale-inputs", "standardize-inputs"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/guides/preprocessing_layers/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Find scaling layers with trainable weights on every way to them, and who feeds those weights."""
        graph = facts.graph
        scaling = [node for node in graph.nodes if graph.layer(node).kind in ("Rescaling", "Normalization")]
        if not scaling:
            return NotApplicable("the model has no scaling layer")
        raw = {
            node: item.name
            for item in model_inputs(graph)
            if item.kind != "tokens"
            for node in reached(graph, item.node)
            if graph.layer(node).trainable
        }
        layers: dict[str, dict[str, Any]] = {}
        for node in scaling:
            first = [n for n in graph.reachable([node], graph.before) if n in raw]
            if first and _is_between_weights(graph, node) and _is_for_inputs(graph, node):
                layers[node.path] = {
                    "behind": sorted(n.path for n in first),
                    "inputs": sorted({raw[n] for n in first}),
                }
        return Measurement(float(len(layers)), "scaling layers behind weights", layers)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for all of them together."""
        if not measurement.layers:
            return ()
        rows = measurement.layers.values()
        behind = list(dict.fromkeys(path for row in rows for path in row["behind"]))
        inputs = list(dict.fromkeys(name for row in rows for name in row["inputs"]))
        names = listed(measurement.layers)
        return (
            self.finding(
                "warning",
                layers=tuple(measurement.layers),
                evidence={"scaling_layers": len(measurement.layers), "first_weights": behind},
                explanation=f"{names} is made to scale the input, but stands behind {listed(behind)}: these weights get "
                f"{listed(inputs)} unscaled, and their features are scaled down in its place.",
                fix=f"Move {names} in front of {listed(behind)}.",
                confidence=CONFIDENCE,
            ),
        )


def _is_between_weights(graph: Graph, node: Node) -> bool:
    """Whether no input reaches the node past trainable weights, and weights follow it."""

    def past_weights(one: Node) -> tuple[Node, ...]:
        return tuple(n for n in graph.after(one) if not is_weighted(graph.layer(n)))

    follows = graph.reachable(graph.after(node), graph.after)
    return node not in graph.reachable(graph.inputs, past_weights) and any(
        is_weighted(graph.layer(n)) for n in follows
    )


def _is_for_inputs(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    if layer.kind == "Normalization":
        return not layer.config.get("invert")
    step = affine_of(graph, node)
    return step is not None and bool(np.all(np.abs(step.scale) < PIXEL_SCALE))

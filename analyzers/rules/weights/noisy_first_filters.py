"""noisy-first-filters: a trained first convolution whose filters have no spatial structure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import number
from analyzers.spec import Array
from analyzers.spec.model_inputs import model_inputs
from analyzers.spec.roles import is_weighted

LEAST_STEPS: Final = 1000
"""Steps after which the first filters of a network that learns have taken on structure."""

LEAST_SIDE: Final = 3
"""Smaller kernels have no neighbours to compare."""

LEAST_PAIRS: Final = 400
"""Pairs of neighbouring weights; the correlation of as many pairs of noise is below 0.1 in 95 % of draws."""

STRUCTURE: Final = 0.1
"""Correlation of neighbouring weights, in absolute value, from which filters have structure."""


class NoisyFirstFilters(Rule):
    """The first filters of a trained network look like noise.

    What it checks:
        Of the first convolution behind an image input, 3x3 or larger, after a thousand steps or more:
        the correlation between neighbouring weights of its filters. Under 0.1 in absolute value they
        are as unordered as a fresh initialiser's.

    Why training suffers:
        It is a sign, not a cause. Filters that learn from images become edges, blobs and colours, whose
        neighbouring weights go together. Filters that stay noise have seen no gradient from the image:
        it vanished on the way, the input was scaled to nothing, or the network settled on its biases.

    Bad example:
        ```python
        x = layers.Normalization(mean=127.5, variance=127.5)(inputs)   # a standard deviation, not a variance
        x = layers.Conv2D(32, 3)(x)
        ```

    Fixed example:
        ```python
        x = layers.Normalization(mean=127.5, variance=127.5**2)(inputs)
        x = layers.Conv2D(32, 3)(x)
        ```

    How sure we are:
        Not very: small kernels have little room for structure, and networks whose later layers do the
        work may do well on random first filters. It is information beside other findings.

    Known limitations:
        Trainable Conv2D layers only, in files with their step count.

    References:
        Yosinski et al., How transferable are features in deep neural networks?, 2014,
        https://arxiv.org/abs/1411.1792
    """

    id: ClassVar[str] = "noisy-first-filters"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "First filters that look like noise"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training", "weights"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1411.1792",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Correlation between neighbouring weights of each first convolution."""
        spec, graph = facts.spec, facts.graph
        steps = facts.training.steps_taken
        if steps is None or steps < LEAST_STEPS:
            return NotApplicable(
                f"structure shows after {LEAST_STEPS} steps or more; a file saved with its optimizer then "
                "would settle it"
            )
        layers: dict[str, dict[str, Any]] = {}
        for item in model_inputs(graph):
            for node in graph.frontier(item.node, is_weighted) if item.kind == "image" else ():
                layer = graph.layer(node)
                kernel = graph.tensors.get(node.path, {}).get("kernel")
                if layer.kind != "Conv2D" or not layer.trainable or kernel is None:
                    continue
                if graph.statistics.of(kernel).finite:
                    layers[node.path] = neighbours(spec.weights.load(kernel))
        known = {path: row for path, row in layers.items() if row["pairs"] >= LEAST_PAIRS}
        if not known:
            return NotApplicable("no trainable first convolution on an image with filters of 3x3 or more")
        return Measurement(
            min(abs(row["correlation"]) for row in known.values()), "correlation of neighbouring weights",
            known, {"steps": steps},
        )  # fmt: skip

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Inform of filters without structure."""
        found = [path for path, row in measurement.layers.items() if abs(row["correlation"]) < STRUCTURE]
        return [
            self.finding(
                "info",
                layers=(path,),
                evidence={"correlation": measurement.layers[path]["correlation"],
                          "pairs": measurement.layers[path]["pairs"], "steps": measurement.details["steps"]},
                explanation=f"After {measurement.details['steps']} steps neighbouring weights in the filters of {path} have a "
                f"correlation of {number(measurement.layers[path]['correlation'])}, as in a fresh initialiser: no "
                "edges, no blobs. Filters that learn from images become smooth.",
                fix="Look for what keeps the image from the first layer: its scale, a vanishing gradient, a network "
                "that lives on its biases.",
                confidence=0.3,
            )
            for path in found
        ]  # fmt: skip


def neighbours(kernel: Array) -> dict[str, Any]:
    """Correlation between horizontally and vertically neighbouring weights.

    Args:
        kernel: (height, width, channels, filters), finite.

    Returns:
        ``correlation``, the mean product of neighbours over the mean square, and the number of ``pairs``.
    """
    if min(kernel.shape[:2]) < LEAST_SIDE:
        return {"correlation": 0.0, "pairs": 0}
    values = kernel.astype(np.float64)
    products = (values[1:] * values[:-1], values[:, 1:] * values[:, :-1])
    pairs = sum(part.size for part in products)
    square = float(np.mean(np.square(values)))
    correlation = sum(float(part.sum()) for part in products) / pairs / square if square > 0 else math.nan
    return {"correlation": correlation, "pairs": pairs if square > 0 else 0}

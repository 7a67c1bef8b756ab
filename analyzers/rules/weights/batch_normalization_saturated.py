"""batch-normalization-saturated: moving statistics or gammas that show features out of scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.relu_units import RECORD_STEPS
from analyzers.rules.words import listed, number
from analyzers.spec import TensorInfo
from analyzers.spec.graph import Graph
from analyzers.spec.roles import is_weighted

SMALLEST_VARIANCE: Final = 1e-10
"""Moving variance of a channel that gives one constant (FORMATS.md, section 4)."""

DEAD_SHARE: Final = 0.5
"""Share of such channels: the stock MobileNet has 5 of 16, a broken real file 50 of 50."""

LARGEST_MEAN: Final = 100.0
LARGEST_VARIANCE: Final = 1e4
"""Statistics over these are in 3 of 879 real files, one at a mean of 4e8 with a gradient of 3e-18."""


class BatchNormalizationSaturated(Rule):
    """BatchNormalization that shows features out of scale, or lets nothing through.

    What it checks:
        Of every BatchNormalization behind weights: the share of channels whose moving variance is below
        1e-10 (over half), the largest moving mean (over 100) and variance (over 10,000), and, a hundred
        steps or more into training, whether every gamma is zero.

    Why training suffers:
        Channels without variance are constants: what feeds them is dead. Statistics of 1e4 and more show
        that the features in front grow without a bound; the gradient is divided by their scale on its
        way back, and the layers in front stand still. A gamma of zero lets nothing through.

    Bad example:
        ```python
        x = layers.Dense(256)(raw_features)     # some thousands in size
        x = layers.BatchNormalization()(x)      # gradient in front: divided by thousands
        ```

    Fixed example:
        ```python
        x = layers.Normalization()(raw_features)   # adapted to the training data
        x = layers.Dense(256)(x)
        x = layers.BatchNormalization()(x)
        ```

    How sure we are:
        The statistics are the real run's own. What they do to training is for the probe to say: the
        layer also repairs, at its output, the very scale that it shows.

    Known limitations:
        A BatchNormalization on the input itself is there to take raw numbers and is passed over.

    References:
        Ioffe and Szegedy, Batch Normalization, 2015, https://arxiv.org/abs/1502.03167
    """

    id: ClassVar[str] = "batch-normalization-saturated"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "BatchNormalization far out of scale"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = (
        "standardize-inputs", "rescale-inputs", "reinitialize-dead-layers", "lower-learning-rate",
    )  # fmt: skip
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1502.03167",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Dead channels, largest statistics and gamma of each layer."""
        spec, graph = facts.spec, facts.graph
        inner = _behind_weights(graph)
        rows = {
            layer.path: row
            for layer in graph.flat.layers
            if layer.kind == "BatchNormalization"
            and layer.path in inner
            and (row := _row(graph, graph.tensors.get(layer.path, {}))) is not None
        }
        if not rows:
            return NotApplicable("no BatchNormalization with saved statistics behind weights")
        steps = None if spec.training is None else spec.training.steps_taken
        shut = steps is not None and steps >= RECORD_STEPS
        layers = {path: row | {"faults": _faults(row, shut)} for path, row in rows.items()}
        return Measurement(
            sum(bool(row["faults"]) for row in layers.values()) / len(layers), "share of layers", layers,
            {"steps": steps},
        )  # fmt: skip

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Warn of layers that are out of scale in any of the ways."""
        found = {path: row for path, row in measurement.layers.items() if row["faults"]}
        if not found:
            return ()
        columns = ("dead_share", "largest_mean", "largest_variance", "largest_gamma")
        return (
            self.finding(
                "warning",
                layers=tuple(found),
                evidence={"layers_out_of_scale": len(found), "of": len(measurement.layers),
                          "by_layer": {path: {name: row[name] for name in columns} for path, row in found.items()}},
                explanation="What the real run left in BatchNormalization is out of scale: "
                + "; ".join(f"{path}: {listed(row['faults'])}" for path, row in list(found.items())[:3])
                + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
                + ". The gradient of what lies in front is divided by that scale.",
                fix="Scale the input and the features in front of these layers to about one; initialise layers anew "
                "whose channels are constant.",
                confidence=0.5,
            ),
        )  # fmt: skip


def _behind_weights(graph: Graph) -> frozenset[str]:
    """Paths of nodes that a weighted layer's output reaches: the rest work on the input itself."""
    start = [node for node in graph.nodes if is_weighted(graph.layer(node))]
    return frozenset(node.path for node in graph.reachable(start, graph.after))


def _row(graph: Graph, own: Mapping[str, TensorInfo]) -> dict[str, Any] | None:
    mean, variance = own.get("moving_mean"), own.get("moving_variance")
    if mean is None or variance is None or not variance.size:
        return None
    of_mean, of_variance = graph.statistics.of(mean), graph.statistics.of(variance)
    if not (math.isfinite(of_mean.largest) and math.isfinite(of_variance.largest)):
        return None
    return {
        "dead_share": float(np.mean(graph.flat.weights.load(variance) < SMALLEST_VARIANCE)),
        "largest_mean": of_mean.largest,
        "largest_variance": of_variance.largest,
        "largest_gamma": graph.statistics.of(own["gamma"]).largest if "gamma" in own else None,
    }


def _faults(row: Mapping[str, Any], shut_counts: bool) -> list[str]:
    """In words, what is out of scale in one layer."""
    found = []
    if row["dead_share"] > DEAD_SHARE:
        found.append(f"{row['dead_share']:.0%} of the channels are constant")
    if row["largest_mean"] > LARGEST_MEAN:
        found.append(f"moving mean up to {number(row['largest_mean'])}")
    if row["largest_variance"] > LARGEST_VARIANCE:
        found.append(f"moving variance up to {number(row['largest_variance'])}")
    if shut_counts and row["largest_gamma"] == 0:
        found.append("every gamma is zero")
    return found

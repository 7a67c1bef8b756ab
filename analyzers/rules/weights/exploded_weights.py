"""exploded-weights: saved weights far larger than any initialiser makes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.slots import gradient_record
from analyzers.rules.words import listed, number
from analyzers.spec import TensorInfo
from analyzers.spec.graph import Graph
from analyzers.spec.roles import activation, normalized_behind

LARGEST_RATIO: Final = 30.0
"""RMS of a kernel over that of He's initialiser.  Of the real files looked at, none that trained is over 10
where the scale matters; the kernels in front of a normalisation, 55 in the stock MobileNetV2, are left out."""

LARGEST_GRADIENT: Final = 1e3
"""Recorded RMS gradient that is evidence of its own: an element of a usual gradient is below one."""

_UNBOUNDED: Final = frozenset(
    {"linear", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "softplus", "exponential"}
)
"""Activations of an output layer that has to reach the scale of its targets by its weights."""


class ExplodedWeights(Rule):
    """Weights far larger than any initialiser makes them.

    What it checks:
        The root mean square of every kernel over that of He's initialiser for its shape, the largest
        of the usual ones. Over 30 times is told; with a recorded gradient of over 1000, or one that is
        not finite, as an error. Left out are kernels with a normalisation right behind them, which takes
        their scale away, and output layers without a bound, which have to reach the scale of the targets.

    Why training suffers:
        The scale of a layer's output grows with its kernel's. Softmax, sigmoid and tanh saturate, and
        what comes back through the layer grows as well, so that the next step is larger still. A rate
        that suits weights of size 0.05 moves weights of size 50 nowhere.

    Bad example:
        ```python
        model.compile(keras.optimizers.SGD(1.0), "mse")   # targets of some thousands
        ```

    Fixed example:
        ```python
        targets = (targets - targets.mean()) / targets.std()
        model.compile(keras.optimizers.SGD(1e-2, clipnorm=1.0), "mse")
        ```

    How sure we are:
        The figures are the file's own. That large weights alone stop nothing is measured: 6 % of real
        files have one over 20, the stock MobileNet among them. So it takes the mean of a whole kernel,
        and without further evidence it stays a warning that the probe decides.

    Known limitations:
        A kernel behind tiny inputs has to be large. A file of weights alone does not say whether a
        normalisation follows a kernel, nor in which order its axes are, so nothing is claimed on one.

    References:
        He et al., Delving Deep into Rectifiers, 2015, https://arxiv.org/abs/1502.01852
    """

    id: ClassVar[str] = "exploded-weights"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "Exploded weights"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = ("reinitialize-dead-layers", "lower-learning-rate")
    specific: ClassVar[frozenset[str]] = frozenset({"reinitialize-dead-layers"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1502.01852",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Size of every kernel in units of He's initialiser."""
        spec, graph = facts.spec, facts.graph
        if not spec.has_graph:
            return NotApplicable(
                "weights without a graph do not say which kernels a normalisation follows; the whole "
                "model, saved with model.save(), would settle it"
            )
        memory = gradient_record(graph)
        free = _scale_free(graph)
        layers: dict[str, dict[str, Any]] = {}
        for info in spec.weights.tensors:
            if not info.role.endswith("kernel") or len(info.shape) < 2 or info.layer in free:
                continue
            row = _row(graph, info)
            if row is None or row["ratio"] <= layers.get(info.layer, {"ratio": -1.0})["ratio"]:
                continue
            gradient = None if memory is None else memory.rms(info.layer, info.role)
            blown = gradient is not None and not gradient <= LARGEST_GRADIENT
            layers[info.layer] = row | {"gradient_blown": blown}
        if not layers:
            return NotApplicable("the file holds no kernel of which it tells that its scale matters")
        return Measurement(max(row["ratio"] for row in layers.values()), "times He's initialiser", layers)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Warn of kernels far over any initialiser; an error where the gradient exploded as well."""
        large = {path: row for path, row in measurement.layers.items() if row["ratio"] > LARGEST_RATIO}
        if not large:
            return ()
        blown = [path for path, row in large.items() if row["gradient_blown"]]
        worst = max(large, key=lambda path: float(large[path]["ratio"]))
        also = f" The recorded gradient of {listed(blown)} exploded with them." if blown else ""
        return (
            self.finding(
                "error" if blown else "warning",
                layers=tuple(large),
                evidence={"ratio_by_layer": {path: row["ratio"] for path, row in large.items()},
                          "largest_weight": max(row["largest"] for row in large.values()), "worst_layer": worst,
                          "gradient_exploded": blown},
                explanation=f"The weights of {worst} are {number(measurement.value)} times as large as the largest usual "
                f"initialiser makes them (root mean square {number(large[worst]['rms'])}, largest "
                f"{number(large[worst]['largest'])}). Outputs of that size saturate what follows, and the gradient "
                f"grows with them.{also}",
                fix=f"Initialise {listed(large)} anew, and train at a lower rate with clipnorm=1; scale inputs and "
                "targets to about one.",
                confidence=0.7 if blown else 0.4,
            ),
        )  # fmt: skip


def _scale_free(graph: Graph) -> frozenset[str]:
    """Paths of layers whose scale is taken away by a normalisation, set by the targets, or not told by the graph."""
    normalized = normalized_behind(graph)
    targeted = {node for node in graph.outputs if activation(graph.layer(node)) in _UNBOUNDED}
    untold = frozenset(layer.path for layer in graph.flat.layers if not layer.known)
    return untold | frozenset(node.path for node in graph.nodes if node in normalized or node in targeted)


def _row(graph: Graph, info: TensorInfo) -> dict[str, Any] | None:
    """Size of one kernel; None where it is not finite, which non-finite-weights tells."""
    summary = graph.statistics.of(info)
    fan_in = math.prod(info.shape[:-2]) if "depthwise" in info.role else math.prod(info.shape[:-1])
    if not summary.finite or not fan_in or not math.isfinite(summary.rms):
        return None
    return {"ratio": summary.rms * math.sqrt(fan_in / 2), "rms": summary.rms, "largest": summary.largest}

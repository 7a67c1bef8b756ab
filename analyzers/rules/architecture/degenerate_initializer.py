"""degenerate-initializer: kernels that start at zero, all alike, or on a scale of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.dependence import separates
from analyzers.rules.training_math import Kernel, initializer_name, kernels, weight_variance
from analyzers.rules.words import listed, number
from analyzers.spec import LayerSpec, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import activation, core, is_head, is_weighted, normalized_next

SMALLEST_GAIN: Final = 0.01
"""Factor on the signal below which a single layer lets next to nothing through.  The smallest that is
in use is VGG's own N(0, 0.01) on 3x3x3 patches, at 0.05 (Simonyan & Zisserman 2015, section 3.1)."""

LARGEST_GAIN: Final = 10.0
"""Factor on the signal from which a single layer saturates what follows; He's initialiser has 1.4."""

CONFIDENCE: Final[Mapping[str, float]] = {"zero": 0.7, "alike": 0.6, "small": 0.5, "large": 0.6}
"""Adam recovers from small kernels and a single layer of equal units more often than from zeros."""

_CONSTANTS: Final[Mapping[str, float]] = {"Zeros": 0.0, "Ones": 1.0}


class DegenerateInitializer(Rule):
    """Kernels that start at zero, all alike, or on a scale of their own.

    What it checks:
        The kernel initialiser of every trainable hidden layer: zeros straight in front of a ReLU or of
        another layer of zeros; and, in layers through which the whole signal goes, zeros with a merge
        on that way, equal weights (ones, a constant) in layers of two units or more, and random weights whose size, times the root of the number of
        inputs, shrinks or blows up the signal a hundred- or tenfold. Layers whose output is normalised
        may have any scale.

    Why training suffers:
        A ReLU whose input is exactly zero has no gradient, and neither has a layer behind which only
        zeros follow: nothing ever moves. Units that start alike get the same gradient if the layer
        behind treats them alike, and stay one unit in many copies. Weights far too large saturate or
        explode what follows, far too small ones let no signal through.

    Bad example:
        ```python
        x = layers.Dense(64, activation="relu", kernel_initializer="zeros")(x)
        ```

    Fixed example:
        ```python
        x = layers.Dense(64, activation="relu", kernel_initializer="he_normal")(x)
        ```

    How sure we are:
        Zero kernels in a head, at the end of a residual branch or in front of a smooth activation move
        after a step or two and are not told. The others are an error once the probe has shown that
        fitting initialisers cure it.

    Known limitations:
        The initialiser is where training started: a file with trained weights may have left it behind.
        Biases and recurrent kernels are not judged.

    References:
        Goodfellow et al., Deep Learning, 2016, section 8.4.
        Zhang et al., Fixup Initialization, 2019, https://arxiv.org/abs/1901.09321 (zeros that are meant)
    """

    id: ClassVar[str] = "degenerate-initializer"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Kernels that start at zero, alike or far from scale"
    interventions: ClassVar[tuple[str, ...]] = ("he-initialization",)
    specific: ClassVar[frozenset[str]] = frozenset({"he-initialization"})
    references: ClassVar[tuple[str, ...]] = (
        "https://www.deeplearningbook.org/contents/optimization.html",
        "https://arxiv.org/abs/1901.09321",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read what every hidden kernel starts as, and the factor on the signal that it makes."""
        graph = facts.graph
        layers: dict[str, dict[str, Any]] = {}
        for node in graph.nodes:
            layer = graph.layer(node)
            if not (layer.trainable and is_weighted(layer) and graph.before(node)):
                continue
            found = kernels(layer, graph.output_shape(graph.before(node)[0]))
            for kernel in found:
                layers.setdefault(node.path, _row(graph, node, kernel))
        if not layers:
            return NotApplicable("no trainable kernel whose initialiser can be told")
        return Measurement(
            float(sum(bool(row["fault"]) for row in layers.values())), "degenerate kernels", layers
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """One error for each kind of fault."""
        found = []
        for fault, (effect, fix) in _WORDS.items():
            rows = {path: row for path, row in measurement.layers.items() if row["fault"] == fault}
            if rows:
                gains = [row["gain"] for row in rows.values() if row["gain"] is not None]
                shown = (
                    f" (factor {number(max(gains, key=lambda g: abs(math.log(g))))})"
                    if gains and min(gains) > 0
                    else ""
                )
                found.append(
                    self.finding(
                        "error",
                        layers=tuple(rows),
                        evidence={"layers": len(rows), "fault": fault, "gains": gains,
                                  "initializers": sorted({row["initializer"] for row in rows.values()})},
                        explanation=f"{listed(rows)} {effect}{shown}.",
                        fix=fix.format(layers=listed(rows)),
                        confidence=CONFIDENCE[fault],
                    )
                )  # fmt: skip
        return found


_FITTING: Final = 'Set kernel_initializer="he_normal" (ReLU) or "glorot_uniform" (others) on {layers}.'
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "zero": ("starts with a kernel of zeros whose gradient is zero as well, so it never moves", _FITTING),
    "alike": ("starts with all weights equal, so that all its units compute the same", _FITTING),
    "large": ("starts with weights far too large for its number of inputs and blows the signal up", _FITTING),
    "small": (
        "starts with weights far too small for its number of inputs and lets no signal through",
        _FITTING,
    ),
}
"""Fault -> what it does, and its fix."""


def _row(graph: Graph, node: Node, kernel: Kernel) -> dict[str, Any]:
    value, variance = _constant(kernel), weight_variance(kernel)
    mean_square = value**2 if value is not None else variance
    gain = math.sqrt(kernel.connections * mean_square) if mean_square is not None else None
    return {
        "initializer": initializer_name(kernel.initializer),
        "gain": gain,
        "fault": _fault(graph, node, kernel, value, gain),
    }


def _fault(graph: Graph, node: Node, kernel: Kernel, value: float | None, gain: float | None) -> str:
    """What is wrong with a kernel's start; empty where nothing is.

    Zeros that nothing joins before the ReLU or the zeros behind stay zero wherever they stand; every other
    fault counts only where the whole signal goes through it.
    """
    fault = ""
    if value == 0:
        if not is_head(graph, graph.layer(node)) and _stays_zero(graph, node, _joins):
            return "zero"
        fault = "zero" if _stays_zero(graph, node, lambda _: False) else ""
    elif value is not None:
        fault = "alike" if kernel.outputs > 1 and core(graph.layer(node)).kind not in _PER_CHANNEL else ""
    elif gain is not None and not SMALLEST_GAIN <= gain <= LARGEST_GAIN:
        fault = "" if normalized_next(graph, node) else "small" if gain < SMALLEST_GAIN else "large"
    if not fault or is_head(graph, graph.layer(node)) or not separates(graph, {node.path}):
        return ""
    return fault


_PER_CHANNEL: Final = frozenset(
    kind for kind in kinds.CONVOLUTIONS if "Depthwise" in kind or "Separable" in kind
)
"""Convolutions whose first kernel has a channel of its own for each of its units."""


def _constant(kernel: Kernel) -> float | None:
    """The number that all weights start at; None for random ones."""
    name = initializer_name(kernel.initializer)
    if name == "Constant" and isinstance(kernel.initializer, Mapping):
        config = kernel.initializer.get("config")
        value = config.get("value", 0.0) if isinstance(config, Mapping) else 0.0
        return float(value) if isinstance(value, int | float) else None
    return _CONSTANTS.get(name)


Stop = Callable[[LayerSpec], bool]
"""Whether a walk forward ends at a layer."""


def _joins(layer: LayerSpec) -> bool:
    """Whether something else comes in at the layer."""
    return any(len(call.inputs) > 1 for call in layer.inbound)


def _stays_zero(graph: Graph, node: Node, stop: Stop) -> bool:
    """Whether the gradient of a kernel of zeros is zero, and stays so, judged by what comes before a stop."""
    return _meets_relu(graph, node, stop) or _meets_zeros(graph, node, stop)


def _meets_relu(graph: Graph, node: Node, stop: Stop) -> bool:
    """Whether a ReLU comes before the next weights on every way, so that a zero has no gradient."""
    if activation(graph.layer(node)) in kinds.RELU_LIKE:
        return True

    def ends(layer: LayerSpec) -> bool:
        bends = is_weighted(layer) or activation(layer) not in (None, "linear")
        return layer.path != node.path and (bends or stop(layer))

    following = graph.frontier(node, ends)
    return bool(following) and all(
        activation(graph.layer(one)) in kinds.RELU_LIKE and not is_weighted(graph.layer(one))
        for one in following
    )


def _meets_zeros(graph: Graph, node: Node, stop: Stop) -> bool:
    """Whether every next kernel is zero too."""
    following = graph.frontier(
        node, lambda layer: layer.path != node.path and (is_weighted(layer) or stop(layer))
    )
    if not all(is_weighted(graph.layer(one)) for one in following):
        return False
    made = [
        kernel
        for one in following
        for kernel in kernels(graph.layer(one), graph.output_shape(graph.before(one)[0]))
    ]
    return bool(made) and all(_constant(kernel) == 0 for kernel in made)

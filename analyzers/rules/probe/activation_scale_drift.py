"""activation-scale-drift: the signal fades or grows geometrically with depth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import FAILED, UNLEARNT, conditions, control_failed
from analyzers.rules.words import number
from analyzers.spec.graph import Graph
from analyzers.spec.roles import is_head, is_weighted

LOWEST: Final = 0.5
HIGHEST: Final = 2.0
"""Standard deviation that the deepest layer's output must have left (RULES.md)."""

LEAST_LAYERS: Final = 4
"""Layers through which a trend can be told from a single odd layer."""

LEAST_TOTAL: Final = 1.0
"""Decades that the trend must span from the first layer to the last: a factor of ten."""

STRAIGHT: Final = 0.8
"""Share of the variance over layers that a geometric trend must explain (R squared)."""


class ActivationScaleDrift(Rule):
    """The signal fades or grows geometrically with depth.

    What it checks:
        The standard deviation of each weighted layer's output on the first batch of the deciding run,
        the output layer left out. It is told when it changes by a constant factor a layer (a straight
        line in logarithms explains 80 % of it), by more than ten in all, and ends outside 0.5 to 2, in
        a run that did not learn.

    Why training suffers:
        Each layer multiplies the scale by the same factor, so it is exponential in depth. What fades
        leaves the last layers with biases to learn from and little else; what grows saturates the
        output and its loss. The gradient goes the same way back.

    Bad example:
        ```python
        for _ in range(15):
            x = layers.Dense(256, activation="relu")(x)      # Glorot: the scale falls by 0.7 a layer
        ```

    Fixed example:
        ```python
        for _ in range(15):
            x = layers.Dense(256, activation="relu", kernel_initializer="he_normal")(x)
        ```

    How sure we are:
        The scales were measured. That they are the reason is shown only by a cure that levels them:
        deep networks of fading scale do learn at times, and nothing is said of a model that learnt. It
        is an error where the run failed, a warning where it was on its way but slow.

    Known limitations:
        One batch of the probe's task, in training mode. The layers are taken in the model's order, so
        branches of different depth blur the line.

    References:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010,
        https://proceedings.mlr.press/v9/glorot10a.html
        Mishkin and Matas, All you need is a good init, 2016, https://arxiv.org/abs/1511.06422
    """

    id: ClassVar[str] = "activation-scale-drift"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A signal whose scale drifts with depth"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = ("he-initialization", "add-batch-normalization")
    references: ClassVar[tuple[str, ...]] = (
        "https://proceedings.mlr.press/v9/glorot10a.html", "https://arxiv.org/abs/1511.06422",
    )  # fmt: skip

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Fit a straight line through the logarithms of the layers' scales."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        run = evidence.decision
        scales = _hidden_scales(facts.graph, run.start.activation_std)
        if len(scales) < LEAST_LAYERS:
            return NotApplicable(f"fewer than {LEAST_LAYERS} hidden weighted layers have a measured scale")
        slope, explained = _line([math.log10(scale) for scale in scales.values()])
        layers: dict[str, dict[str, Any]] = {path: {"std": scale} for path, scale in scales.items()}
        return Measurement(
            10**slope,
            "factor a layer",
            layers,
            {
                "verdict": evidence.outcome,
                "conditions": conditions(run),
                "explained": explained,
                "decades": slope * (len(scales) - 1),
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for a geometric drift in a run that failed, a warning in a slow one."""
        details = measurement.details
        scales = {path: row["std"] for path, row in measurement.layers.items()}
        first, *_, last = scales
        drifts = details["explained"] >= STRAIGHT and abs(details["decades"]) >= LEAST_TOTAL
        if details["verdict"] not in UNLEARNT or not drifts or LOWEST <= scales[last] <= HIGHEST:
            return ()
        outside = [path for path, scale in scales.items() if not LOWEST <= scale <= HIGHEST]
        does = "fades" if measurement.value < 1 else "grows"
        return (
            self.finding(
                "error" if details["verdict"] in FAILED else "warning",
                layers=outside,
                evidence={"factor_a_layer": measurement.value, "first_layer": scales[first],
                          "last_layer": scales[last], "std": scales},
                explanation=f"At the start of the run ({details['conditions']}) the signal {does} by a factor of "
                f"{number(measurement.value)} a layer: its standard deviation is {number(scales[first])} behind {first} and "
                f"{number(scales[last])} behind {last}.",
                fix="Initialise with the scale that suits the activation (he_normal before ReLU), or normalise between "
                "the layers.",
                certain=True,
                confidence=0.6,
            ),
        )  # fmt: skip


def _hidden_scales(graph: Graph, measured: Mapping[str, float]) -> dict[str, float]:
    """Positive, finite scales of the weighted layers before the outputs, in the model's order."""
    found: dict[str, float] = {}
    for layer in graph.flat.layers:
        scale = measured.get(layer.path, 0.0)
        if is_weighted(layer) and scale > 0 and math.isfinite(scale) and not is_head(graph, layer):
            found[layer.path] = scale
    return found


def _line(values: Sequence[float]) -> tuple[float, float]:
    """Least-squares slope per position, and the share of the variance that the line explains."""
    y = np.asarray(values, dtype=float)
    x = np.arange(len(y)) - (len(y) - 1) / 2
    total = float(np.sum((y - y.mean()) ** 2))
    slope = float(np.sum(x * y) / np.sum(x**2))
    return slope, slope**2 * float(np.sum(x**2)) / total if total > 0 else 0.0

"""exploding-gradient: gradients far larger than the weights they change, and the model does not learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.report import finite
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import (
    FAILED,
    WINDOW,
    conditions,
    control_failed,
    gradient_profile,
    middle,
)
from analyzers.rules.words import listed, number

HIGHEST_RELATIVE: Final = 1e3
"""Gradient norm over weight norm (RULES.md)."""

HIGHEST_RATIO: Final = 1e3
"""First over last layer's relative gradient.  The literature says 70, but a fresh ResNet50 shows 84 and a
healthy trained Xception 150 (PROBE.md, FORMATS.md), so the bound is that of the recorded gradients."""

HIGHEST_GROWTH: Final = 1e3
"""Largest over first gradient norm of a layer: growth without bound within a short run."""


class ExplodingGradient(Rule):
    """Gradients far larger than the weights they change, and the model does not learn.

    What it checks:
        The gradient norm of each weighted layer over the norm of its weights in the deciding run. It is
        told when that is over a thousand at the start, when the first layer's is over a thousand times
        the last one's, or when a layer's gradient grows a thousandfold or stops being finite, in a run
        that did not learn.

    Why training suffers:
        A step follows the gradient. Where it is far larger than the weights, one step throws them
        away, the next gradient is larger still, and the loss jumps or becomes NaN. Raw inputs, initial
        weights that are too large and a high rate do that.

    Bad example:
        ```python
        x = layers.Dense(512, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0))(x)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        ```

    Fixed example:
        ```python
        x = layers.Dense(512, kernel_initializer="he_normal")(x)
        model.compile(keras.optimizers.SGD(0.01, clipnorm=1.0), "mse")
        ```

    How sure we are:
        The gradients were measured. That they are the reason is shown only by a cure that lowers them;
        nothing is said of a model that learnt.

    Known limitations:
        Measured on the probe's task, not on the real data. An optimizer that divides by the gradient's
        size (Adam, RMSprop) bears large gradients as long as they stay finite.

    References:
        Pascanu et al., On the difficulty of training recurrent neural networks, 2013,
        https://arxiv.org/abs/1211.5063
    """

    id: ClassVar[str] = "exploding-gradient"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A gradient that explodes"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = (
        "standardize-inputs", "rescale-inputs", "he-initialization", "lower-learning-rate", "add-batch-normalization",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset(
        {"standardize-inputs", "rescale-inputs", "he-initialization"}
    )
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1211.5063",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Relative gradient and growth of each weighted layer."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        run = evidence.decision
        if run.own_numbers:
            return NotApplicable(
                "its answers are large numbers themselves, and the gradient is as large as they are"
            )
        start = gradient_profile(facts.graph, run, range(min(WINDOW, len(run.loss))))
        layers: dict[str, dict[str, Any]] = {}
        for path, series in run.gradient_norms.items():
            if path in start and series:
                broken = next((step for step, value in enumerate(series) if not math.isfinite(value)), None)
                layers[path] = {
                    "start": start[path], "growth": _growth(series), "not_finite_from_step": broken
                }  # fmt: skip
        if not layers:
            return NotApplicable("no weighted layer has a measured gradient")
        first, last = next(iter(layers.values()))["start"], list(layers.values())[-1]["start"]
        return Measurement(
            max(row["start"] for row in layers.values()),
            "gradient norm over weight norm",
            layers,
            {"verdict": evidence.outcome, "conditions": conditions(run), "ratio": finite(first / last) if last > 0 else None},
        )  # fmt: skip

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for gradients out of bounds in a run that failed."""
        details, layers = measurement.details, measurement.layers
        large = [path for path, row in layers.items() if row["start"] > HIGHEST_RELATIVE]
        growing = [path for path, row in layers.items() if row["growth"] > HIGHEST_GROWTH]
        broken = [path for path, row in layers.items() if row["not_finite_from_step"] is not None]
        steep = details["ratio"] is not None and details["ratio"] > HIGHEST_RATIO
        if details["verdict"] not in FAILED or not (large or growing or broken or steep):
            return ()
        reasons = [
            (large, f"over {number(HIGHEST_RELATIVE)} times the weights' norm at {listed(large)}"),
            (growing, f"growing more than {number(HIGHEST_GROWTH)}-fold at {listed(growing)}"),
            (broken, f"not finite any more at {listed(broken)}"),
            (steep, f"{number(details['ratio'] or 0.0)} times larger at the first layer than at the last"),
        ]
        return (
            self.finding(
                "error",
                layers=tuple(dict.fromkeys([*large, *growing, *broken])) or tuple(layers)[:1],
                evidence={"largest_relative_gradient": measurement.value, "first_over_last": details["ratio"],
                          "growth": {path: row["growth"] for path, row in layers.items()},
                          "not_finite": broken},
                explanation=f"In the run ({details['conditions']}) the gradient is "
                f"{'; '.join(text for holds, text in reasons if holds)}. Steps of that size throw away what the "
                "weights hold, and the model did not learn.",
                fix="Standardise the input, initialise with he_normal, lower the learning rate or clip the gradient's norm.",
                certain=True,
                confidence=0.85,
            ),
        )  # fmt: skip


def _growth(series: Sequence[float]) -> float:
    """Median of the last steps over median of the first; 1 where there is nothing to compare."""
    before, after = middle(series[:WINDOW]), middle(series[-WINDOW:])
    return after / before if before > 0 and after > 0 else 1.0

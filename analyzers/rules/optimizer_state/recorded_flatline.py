"""recorded-flatline: at the end of the real run no gradient came any more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.slots import (
    gradient_averages,
    gradient_sizes,
    kernels_by_depth,
    no_memory,
    rate_in_force,
    too_few_steps,
)  # fmt: skip
from analyzers.rules.words import listed, number

LOWEST_RATIO: Final = 1e-6
"""RMS(m) / RMS(sqrt(v)).  In 70 real Adam files the median is 0.1 and the lowest living one 3.5e-5; the
three below are all truly dead (FORMATS.md, section 4)."""

SMALLEST: Final = 1e-38
"""Smallest single precision number: an average below it reads as zero."""

LEAST_STEPS: Final = 100
"""It takes some hundred steps without a gradient to get there."""


class RecordedFlatline(Rule):
    """At the end of the real run no gradient came any more.

    What it checks:
        Adam and its kin average the gradient over about ten steps (m) and its square over about a
        thousand (v). Without a gradient both decay, m by beta_1 and the root of v by the root of beta_2
        a step, so their ratio is a clock. It is told for layers where RMS(m) / RMS(sqrt(v)) is below
        1e-6 while v is above zero: for a hundred steps or more no gradient has come.

    Why training suffers:
        No gradient, no step: the layers stay as they are, however long training goes on. Typical
        reasons are ReLU layers that died, outputs that saturated, a loss that no longer depends on the
        weights.

    Bad example:
        ```python
        model.compile(keras.optimizers.Adam(0.1), "categorical_crossentropy")
        model.fit(x, y, epochs=200)   # the ReLU layers died in epoch 3
        ```

    Fixed example:
        ```python
        model = build_model()         # new weights
        model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy")
        ```

    How sure we are:
        That no gradient came is certain: 3 of 70 real files are below the threshold, all truly dead,
        and the next is 35 times above. That it came because training is stuck is not: a loss that has
        become exactly zero (a hinge, data learnt by heart) leaves the same record. The probe of the
        saved state tells the two apart.

    Known limitations:
        Needs both averages: Adam, AdamW, Nadam, Lamb, Adamax (whose norm stands for the root of v). The age assumes that the last gradients were of
        usual size, and is a lower bound where m has underflowed to zero.

    References:
        Kingma and Ba, Adam, 2015, https://arxiv.org/abs/1412.6980
    """

    id: ClassVar[str] = "recorded-flatline"
    group: ClassVar[Group] = "optimizer_state"
    title: ClassVar[str] = "No gradient any more at the end of the recorded run"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training", "weights", "optimizer_state"})
    interventions: ClassVar[tuple[str, ...]] = (
        "reinitialize-dead-layers", "leaky-relu", "lower-learning-rate", "standardize-inputs",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset({"reinitialize-dead-layers"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1412.6980",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Ratio of the two averages for each layer's kernel."""
        spec = facts.spec
        sizes, averages = gradient_sizes(facts.graph), gradient_averages(facts.graph)
        if sizes is None or averages is None:
            return no_memory(spec)
        if (early := too_few_steps(spec, LEAST_STEPS)) is not None:
            return early
        layers: dict[str, dict[str, Any]] = {}
        for path, kernel in kernels_by_depth(facts.graph):
            moved, size = averages.rms(path, kernel.role), sizes.rms(path, kernel.role)
            if moved is not None and size and math.isfinite(moved / size):
                layers[path] = {"ratio": moved / size, "gradient_rms": size}
        if not layers:
            return NotApplicable("no layer's averages are above zero; recorded-zero-gradient tells of that")
        decay = math.log(averages.decay) - math.log(sizes.forgets)
        for row in layers.values():
            row["steps_without_gradient"] = _age(row["ratio"], row["gradient_rms"], decay)
        return Measurement(
            max(row["ratio"] for row in layers.values()), "RMS(m) / RMS(sqrt(v))", layers,
            {"steps": sizes.steps, "rate_in_force": rate_in_force(spec)}
        )  # fmt: skip

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error when every layer has stopped, a warning when some have."""
        dead = {path: row for path, row in measurement.layers.items() if row["ratio"] < LOWEST_RATIO}
        if not dead:
            return ()
        everywhere = len(dead) == len(measurement.layers)
        age = min(row["steps_without_gradient"] for row in dead.values())
        return (
            self.finding(
                "error" if everywhere else "warning",
                layers=tuple(dead),
                evidence={"ratio": _by_layer(dead, "ratio"), "steps_without_gradient": age,
                          "layers_dead": len(dead), "of": len(measurement.layers),
                          **measurement.details},
                explanation=f"{listed(dead)} got no gradient for about the last {number(age)} steps of the recorded run: "
                f"Adam's average of the gradient has decayed to {number(max(row['ratio'] for row in dead.values()))} of "
                "what its square remembers. Without a gradient nothing moves, however long training goes on.",
                fix=f"Initialise {listed(dead)} anew and look for what cut the gradient: dead ReLU units, saturated "
                "outputs, too high a rate.",
                confidence=0.8,
            ),
        )  # fmt: skip


def _by_layer(layers: Mapping[str, Mapping[str, Any]], column: str) -> dict[str, Any]:
    return {path: row[column] for path, row in layers.items()}


def _age(ratio: float, size: float, decay: float) -> int:
    """Steps that the ratio took to fall from one; at least so many where m has underflowed."""
    visible = max(ratio, SMALLEST / max(size, SMALLEST))
    return max(round(math.log(visible) / decay), 0) if decay < 0 and visible < 1 else 0

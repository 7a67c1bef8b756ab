"""recorded-exploding-gradient: in the real run the gradient grew towards the input, or left all bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.recorded_gradients import STEADY, recorded_profile
from analyzers.rules.words import listed, number
from analyzers.spec.graph import Graph

LARGEST_RATIO: Final = 1e3
"""First over last layer's gradient: a healthy Xception shows 150 (FORMATS.md, section 4)."""


class RecordedExplodingGradient(Rule):
    """In the real training run the gradient exploded.

    What it checks:
        The optimizer's record of each layer's gradient. It is told when the first layer's is more than a
        thousand times the last one's, both as it stands and relative to the size of the kernel, and
        grows steadily over four layers or more; and when any slot holds NaN or infinity.

    Why training suffers:
        Each layer's gradient is the next one's times its weights and its activation's slope. Where that
        product is above one, it grows exponentially with depth, and the first layers take steps that
        wreck what they have. A slot that is NaN makes its weights NaN with the next step; one that is
        infinite holds them still for good.

    Bad example:
        ```python
        for _ in range(12):
            x = layers.Dense(256, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0))(x)
        ```

    Fixed example:
        ```python
        for _ in range(12):
            x = layers.Dense(256, kernel_initializer="he_normal", activation="relu")(x)
        model.compile(keras.optimizers.Adam(1e-3, clipnorm=1.0), loss)
        ```

    How sure we are:
        A slot that is not finite is certain to spoil every further step with this state. A gradient that
        grows is the real run's own figure, and a suspicion until the probe has shown that the model does
        not learn: Adam divides by it.

    Known limitations:
        The record is as old as the optimizer's memory: about 1 / (1 - beta_2) steps for Adam, ten for
        RMSprop and momentum. Explosion through time in a recurrent layer shows in one layer only.

    References:
        Pascanu et al., On the difficulty of training recurrent neural networks, 2013,
        https://arxiv.org/abs/1211.5063
    """

    id: ClassVar[str] = "recorded-exploding-gradient"
    group: ClassVar[Group] = "optimizer_state"
    title: ClassVar[str] = "A gradient that exploded in the recorded run"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training", "weights", "optimizer_state"})
    interventions: ClassVar[tuple[str, ...]] = (
        "he-initialization", "lower-learning-rate", "add-batch-normalization", "clip-gradients",
        "reinitialize-dead-layers",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset({"he-initialization", "clip-gradients"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1211.5063",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Gradient of each layer from the input to the output, and the slots that are not finite."""
        broken = _not_finite(facts.graph)
        profile = recorded_profile(facts.graph)
        if isinstance(profile, Measurement):
            return Measurement(
                profile.value, profile.unit, profile.layers, {**profile.details, "not_finite": broken}
            )
        if not broken:
            return profile
        return Measurement(float(len(broken)), "layers", {}, {"not_finite": broken})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Slots that are not finite are certain; a steady growth is for the probe to confirm."""
        details = measurement.details
        if details["not_finite"]:
            return (self._broken(details["not_finite"]),)
        grows = details["steadiness"] <= -STEADY
        if min(measurement.value, details["relative_ratio"]) <= LARGEST_RATIO or not grows:
            return ()
        return (self._grown(measurement),)

    def _broken(self, slots: Mapping[str, Sequence[str]]) -> Finding:
        names = sorted({name for found in slots.values() for name in found})
        return self.finding(
            "error",
            title="Optimizer state that is NaN or infinite",
            layers=tuple(slots),
            evidence={"not_finite": {path: list(found) for path, found in slots.items()}},
            explanation=f"The optimizer's {listed(names)} of {listed(slots)} is NaN or infinite: the gradient overflowed in "
            "the recorded run. A step with that state makes these weights NaN, or never moves them again.",
            fix="Compile the model anew, which starts the optimizer's state afresh, with a lower rate and "
            "clipnorm=1; go on from weights saved before the overflow.",
            certain=True,
            confidence=0.97,
        )  # fmt: skip

    def _grown(self, measurement: Measurement) -> Finding:
        details, paths = measurement.details, tuple(measurement.layers)
        rows = measurement.layers
        first, last = rows[paths[0]]["gradient_rms"], rows[paths[-1]]["gradient_rms"]
        figures = {name: value for name, value in details.items() if name != "not_finite"}
        return self.finding(
            "error",
            layers=tuple(path for path in paths if rows[path]["gradient_rms"] > LARGEST_RATIO * last),
            evidence={"ratio": measurement.value, **figures,
                      "gradient_rms": {path: row["gradient_rms"] for path, row in rows.items()}},
            explanation=f"In the recorded run the gradient grew from {number(last)} at {paths[-1]} to {number(first)} at "
            f"{paths[0]}, steadily over {len(paths)} layers: a ratio of {number(measurement.value)}. The record "
            f"covers about the last {number(details['remembered_steps'])} steps.",
            fix="Initialise with he_normal where ReLU follows and glorot_uniform elsewhere, clip the gradient "
            "(clipnorm=1), and normalise between the layers.",
            confidence=0.7,
        )  # fmt: skip


def _not_finite(graph: Graph) -> dict[str, list[str]]:
    """Slots that hold NaN or infinity, by layer."""
    found: dict[str, list[Any]] = {}
    for slot in graph.flat.weights.slots:
        if not graph.statistics.of(slot).finite:
            found.setdefault(slot.layer, []).append(slot.slot)
    return found

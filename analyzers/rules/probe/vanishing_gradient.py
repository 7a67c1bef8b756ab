"""vanishing-gradient: hardly any gradient reaches the first layers, and the model does not learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import (
    FAILED,
    WINDOW,
    conditions,
    control_failed,
    gradient_profile,
    unlearnt_steps,
)
from analyzers.rules.words import number

LOWEST_RATIO: Final = 1e-3
"""First over last layer's relative gradient (RULES.md)."""

LOW_FIRST: Final = 1e-4
"""Relative gradient of the first layer that has to go with the ratio (RULES.md)."""

LOWEST: Final = 1e-6
"""Relative gradient of the first layer that suffices alone (RULES.md; C2's source gives 1e-5 as a norm)."""


class VanishingGradient(Rule):
    """Hardly any gradient reaches the first layers, and the model does not learn.

    What it checks:
        The gradient norm of each weighted layer over the norm of its weights, at the start and at the
        end of the deciding run, and only while the loss is not yet low. It is told when the first
        layer's is below 1e-6, or below 1e-4 and under a thousandth of the last layer's, in a run that
        did not learn.

    Why training suffers:
        Each layer's gradient is the next one's times its weights and its activation's slope. Where
        that product is below one, what reaches the first layers shrinks exponentially with depth; where
        a ReLU layer is dead, nothing reaches them at all. They stay as they are.

    Bad example:
        ```python
        for _ in range(12):
            x = layers.Dense(64, activation="sigmoid")(x)
        ```

    Fixed example:
        ```python
        for _ in range(12):
            x = layers.Dense(64, activation="relu", kernel_initializer="he_normal")(x)
        ```

    How sure we are:
        The gradients were measured. That they are the reason is shown only by a cure that raises them,
        and the rule says nothing of a model that learnt: a fresh ResNet50 has a first-to-last ratio of
        84, a fresh ConvNeXtTiny a mean gradient below 1e-6 in 54 of 59 kernels, and both learn.

    Known limitations:
        Measured on the probe's task at the probe's size, not on the real data. Adam divides by the
        gradient's size, so that a gradient may be very small and still do.

    References:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010,
        https://proceedings.mlr.press/v9/glorot10a.html
        He et al., Delving Deep into Rectifiers, 2015, https://arxiv.org/abs/1502.01852
    """

    id: ClassVar[str] = "vanishing-gradient"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A gradient that vanishes towards the input"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = (
        "he-initialization", "leaky-relu", "reinitialize-dead-layers", "add-batch-normalization",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset({"he-initialization"})
    references: ClassVar[tuple[str, ...]] = (
        "https://proceedings.mlr.press/v9/glorot10a.html", "https://arxiv.org/abs/1502.01852",
    )  # fmt: skip

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Relative gradient of each weighted layer at either end of the deciding run."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        run = evidence.decision
        steps = unlearnt_steps(run)
        start = gradient_profile(facts.graph, run, steps[:WINDOW])
        end = gradient_profile(facts.graph, run, steps[-WINDOW:])
        layers = {path: {"start": start[path], "end": end[path]} for path in start if path in end}
        if len(layers) < 2:
            return NotApplicable("fewer than two weighted layers have a measured gradient")
        first, last = layers[next(iter(layers))], layers[list(layers)[-1]]
        return Measurement(
            first["start"] / last["start"] if last["start"] > 0 else 0.0,
            "first layer's relative gradient over last layer's",
            layers,
            {"verdict": evidence.outcome, "conditions": conditions(run), "steps": len(run.loss)},
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error where the gradient is gone at the start, or was lost on the way, of a run that failed."""
        details = measurement.details
        when = next((name for name in ("start", "end") if _gone(measurement.layers, name)), None)
        if details["verdict"] not in FAILED or when is None:
            return ()
        profile = {path: float(row[when]) for path, row in measurement.layers.items()}
        paths = tuple(profile)
        weak = tuple(path for path in paths if profile[path] < max(LOWEST, LOWEST_RATIO * profile[paths[-1]]))
        return (
            self.finding(
                "error",
                layers=weak or paths[:1],
                evidence={"when": when, "first_layer": profile[paths[0]], "last_layer": profile[paths[-1]],
                          "relative_gradient": profile, "steps": details["steps"]},
                explanation=_explanation(profile, when, details["conditions"]),
                fix="Initialise for the activation that follows (he_normal for ReLU, glorot_uniform for tanh), normalise "
                "between the layers, and keep a gradient on the negative side of ReLU (LeakyReLU)."
                if when == "start" else
                "The gradient was there at the start: lower the learning rate and standardise the input, so that the "
                "first steps do not kill the units; LeakyReLU keeps a gradient.",
                certain=True,
                confidence=0.85,
            ),
        )  # fmt: skip


def _gone(layers: Mapping[str, Mapping[str, Any]], when: str) -> bool:
    values = [float(row[when]) for row in layers.values()]
    first, last = values[0], values[-1]
    if last < LOWEST:  # the loss itself passes nothing back; depth has no part in that
        return False
    return first < LOWEST or (first < LOW_FIRST and first < LOWEST_RATIO * last)


def _explanation(profile: Mapping[str, float], when: str, made: str) -> str:
    paths = list(profile)
    first, last = profile[paths[0]], profile[paths[-1]]
    text = (
        f"At the {when} of the run ({made}) the gradient relative to the weights is {number(last)} at {paths[-1]} "
        f"and {number(first)} at {paths[0]}."
    )
    if first == 0:
        return f"{text} No gradient at all reaches the first layers, so they stay as they are."
    return f"{text} The first layers hardly move, and the model did not learn."

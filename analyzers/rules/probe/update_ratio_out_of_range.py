"""update-ratio-out-of-range: steps far too small or far too large for the weights that they change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import UNLEARNT, conditions, control_failed, middle, unlearnt_steps
from analyzers.rules.words import number
from analyzers.spec.roles import is_weighted

LOWEST: Final = 1e-4
HIGHEST: Final = 1e-1
"""Norm of a step over the norm of the weights (RULES.md; the usual advice is about a thousandth)."""


class UpdateRatioOutOfRange(Rule):
    """Steps far too small or far too large for the weights that they change.

    What it checks:
        For each weighted layer of the deciding run, the norm of a step over the norm of the weights:
        the median over the steps at which the loss was not yet low. It is told when the median layer's
        is below 1e-4 or above 1e-1, in a run that did not learn. Layers that did not move at all are
        left to other rules.

    Why training suffers:
        At a ten-thousandth of its size a step, a layer needs ten thousand steps to become another one.
        At a tenth, ten steps leave nothing of what it was, and each gradient is taken at weights that
        the next step throws away. It is the honest form of "learning rate too low" and "too high".

    Bad example:
        ```python
        model.compile(keras.optimizers.SGD(1e-6), "categorical_crossentropy")
        ```

    Fixed example:
        ```python
        model.compile(keras.optimizers.SGD(1e-2, momentum=0.9), "categorical_crossentropy")
        ```

    How sure we are:
        The steps were measured. That they are the reason is shown only by a run at another rate: where the
        model is stuck and learns at a higher one, with nothing else changed, it is an error. Else it is
        information that the rules on learning rates use, and nothing is said of a model that learnt.

    Known limitations:
        Weights behind a normalisation have no scale of their own: large steps make them grow until the
        steps are small. Measured on the probe's task.

    References:
        https://karpathy.github.io/2019/04/25/recipe/
        You et al., Large Batch Training of Convolutional Networks, 2017, https://arxiv.org/abs/1708.03888
    """

    id: ClassVar[str] = "update-ratio-out-of-range"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "Steps out of proportion to the weights"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = ("lower-learning-rate", "raise-learning-rate")
    references: ClassVar[tuple[str, ...]] = (
        "https://karpathy.github.io/2019/04/25/recipe/", "https://arxiv.org/abs/1708.03888",
    )  # fmt: skip

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Update norm over weight norm of each weighted layer that moved, and the median over layers."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        run = evidence.decision
        steps = unlearnt_steps(run)
        weighted = {layer.path for layer in facts.graph.flat.layers if is_weighted(layer)}
        layers: dict[str, dict[str, Any]] = {}
        for path, series in run.update_ratios.items():
            ratio = middle([series[step] for step in steps if step < len(series)])
            if path in weighted and run.weight_norms.get(path, 0.0) > 0 and ratio > 0:
                layers[path] = {"update_ratio": ratio}
        if not layers:
            return NotApplicable("no weighted layer moved while the loss was not yet low")
        return Measurement(
            float(np.median([row["update_ratio"] for row in layers.values()])),
            "update norm over weight norm",
            layers,
            {
                "verdict": evidence.outcome,
                "conditions": conditions(run),
                "learns_at": evidence.faster.learning_rate if evidence.faster is not None else None,
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Told where the median layer's steps are out of range, in a run that did not learn."""
        ratio = measurement.value
        if measurement.details["verdict"] not in UNLEARNT or LOWEST <= ratio <= HIGHEST:
            return ()
        small = ratio < LOWEST
        ratios = {path: row["update_ratio"] for path, row in measurement.layers.items()}
        outside = [path for path, one in ratios.items() if (one < LOWEST if small else one > HIGHEST)]
        told = (
            f"about {number(1 / ratio)} steps would be needed to replace the weights"
            if small
            else "a handful of steps leaves nothing of what the weights were"
        )
        explanation = (
            f"In the run ({measurement.details['conditions']}) a step changes the middle layer's "
            f"weights by {number(ratio)} of their norm: {told}."
        )
        evidence = {"update_ratio": ratio, "decades": math.log10(ratio), "by_layer": ratios}
        higher = measurement.details["learns_at"]
        if small and higher is not None and measurement.details["verdict"] == "stuck":
            return (
                self.finding(
                    "error",
                    title="Learning rate too low for these weights",
                    layers=outside,
                    evidence=evidence | {"learns_at": higher},
                    explanation=f"{explanation} At a rate of {number(higher)}, with nothing else changed, the "
                    "model learns.",
                    fix=f"Start from a learning rate of {number(higher)}.",
                    certain=True,
                    confidence=0.95,
                ),
            )
        return (
            self.finding(
                "info",
                layers=outside,
                evidence=evidence,
                explanation=explanation,
                fix=f"{'Raise' if small else 'Lower'} the learning rate until a step is about a thousandth of the "
                "weights.",
                certain=True,
                confidence=0.6,
            ),
        )

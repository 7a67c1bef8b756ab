"""saturated-activations: sigmoid or tanh layers that sit on their flat ends, and the model does not learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.probe.evidence import Snapshot
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import FAILED, conditions, control_failed
from analyzers.rules.words import listed, number
from analyzers.spec import kinds
from analyzers.spec.graph import Graph
from analyzers.spec.roles import activation, core, is_head

LOWEST_SLOPE: Final = 0.01
"""Mean slope, as a share of the steepest.  By Markov's inequality at least half of the values then have
slopes under 2 %: inputs beyond 2.6 for tanh, 5.3 for the sigmoid.  (The bounds of 9.5 and 17 in RULES.md
are where float32 has no slope left at all; a layer is lost to training long before.)"""


def _of_tanh(rms: float, _: float) -> float:
    """Mean of 1 - y squared, over its largest value 1."""
    return 1 - rms**2


def _of_sigmoid(rms: float, std: float) -> float:
    """Mean of y - y squared, over its largest value 1/4; the mean of y follows from both figures."""
    return 4 * (math.sqrt(max(rms**2 - std**2, 0.0)) - rms**2)


MEAN_SLOPE: Final[Mapping[str, Callable[[float, float], float]]] = {"tanh": _of_tanh, "sigmoid": _of_sigmoid}
"""Activation -> mean slope over a layer's output from its root mean square and standard deviation: exact,
since either slope is a quadratic function of the output."""


class SaturatedActivations(Rule):
    """Sigmoid or tanh layers that sit on their flat ends, and the model does not learn.

    What it checks:
        The mean slope of each hidden sigmoid or tanh over a whole batch, at the start and at the end of
        the deciding run, as a share of the steepest. It follows exactly from the mean and the mean square
        of the output. It is told below one per cent, where at least half of the units pass on less than
        a fiftieth, in a run that did not learn.

    Why training suffers:
        The gradient is multiplied by that slope on its way back. A layer at a hundredth lets nearly
        nothing through, two such layers nothing at all; and its output is two numbers, not a signal.

    Bad example:
        ```python
        x = layers.Dense(64, activation="tanh")(inputs)           # fed 0-255
        ```

    Fixed example:
        ```python
        x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
        x = layers.Dense(64, activation="tanh")(x)
        ```

    How sure we are:
        The slopes were measured. That they are the reason is shown only by a cure; gates and trained
        networks may be saturated in good health, and nothing is said of a model that learnt.

    Known limitations:
        Layers whose output is the sigmoid or tanh itself; the gates inside recurrent layers are not
        seen. Slopes under about 1e-6 cannot be told apart in float32.

    References:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010,
        https://proceedings.mlr.press/v9/glorot10a.html
    """

    id: ClassVar[str] = "saturated-activations"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "Activations on their flat ends"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = (
        "standardize-inputs", "rescale-inputs", "he-initialization", "lower-learning-rate", "add-batch-normalization",
    )  # fmt: skip
    references: ClassVar[tuple[str, ...]] = ("https://proceedings.mlr.press/v9/glorot10a.html",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Mean slope of every hidden sigmoid and tanh at either end of the deciding run."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        run = evidence.decision
        start, end = (_slopes(facts.graph, snapshot) for snapshot in (run.start, run.end))
        layers: dict[str, dict[str, Any]] = {
            path: {"start": start[path], "end": end[path]} for path in start if path in end
        }
        if not layers:
            return NotApplicable("no hidden layer ends in a sigmoid or tanh whose output was measured")
        return Measurement(
            min(min(row.values()) for row in layers.values()),
            "share of the steepest slope",
            layers,
            {"verdict": evidence.outcome, "conditions": conditions(run)},
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for saturated layers at the start, or else at the end, of a run that failed."""
        if measurement.details["verdict"] not in FAILED or measurement.value >= LOWEST_SLOPE:
            return ()
        rows = measurement.layers
        when = "start" if any(row["start"] < LOWEST_SLOPE for row in rows.values()) else "end"
        flat = [path for path, row in rows.items() if row[when] < LOWEST_SLOPE]
        return (
            self.finding(
                "error",
                layers=flat,
                evidence={"when": when, "mean_slope": {path: row[when] for path, row in rows.items()}},
                explanation=f"At the {when} of the run ({measurement.details['conditions']}) {listed(flat)} sit on the flat "
                f"ends of their activation: the mean slope is {number(min(rows[path][when] for path in flat))} of the "
                "steepest, so that hardly any gradient passes.",
                fix="Standardise what the layer takes in, normalise before the activation, or use one that does not "
                "saturate."
                if when == "start" else
                "The layers were in their range at the start: lower the learning rate, or normalise before the activation.",
                certain=True,
                confidence=0.8,
            ),
        )  # fmt: skip


def _slopes(graph: Graph, snapshot: Snapshot) -> dict[str, float]:
    """Mean slope of each hidden sigmoid or tanh whose output was measured; not below 0."""
    found: dict[str, float] = {}
    for layer in graph.flat.layers:
        formula = MEAN_SLOPE.get(activation(layer) or "")
        rms = snapshot.activation_rms.get(layer.path, math.nan)
        std = snapshot.activation_std.get(layer.path, math.nan)
        gated = core(layer).kind in kinds.RECURRENT
        if formula is None or gated or not math.isfinite(rms + std) or is_head(graph, layer):
            continue
        found[layer.path] = max(formula(rms, std), 0.0)
    return found

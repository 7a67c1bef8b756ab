"""excessive-regularization: a penalty on the weights that outweighs what there is to learn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.report import Severity
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.training_math import kernels, weight_variance
from analyzers.rules.words import listed, number
from analyzers.spec import Array, LayerSpec, TensorInfo, by_layer
from analyzers.spec.graph import Graph
from analyzers.spec.output_heads import heads
from analyzers.spec.roles import core, uses

OUTWEIGHS: Final = 3.0
"""Penalty over the loss at chance from which it is told.  VGG16 with its authors' own L2 of 5e-4 starts
at 1.9 and trains, ResNet50 with 1e-4 at 0.8 (Simonyan & Zisserman 2015; He et al. 2016)."""

DROWNS: Final = 10.0
"""The same from which the data hardly count (RULES.md)."""

CHANCE_REGRESSION: Final = 1.0
"""Loss at chance where targets have variance 1, or where the loss is not known."""

ROLES: Final[Mapping[str, str]] = {
    "kernel_regularizer": "kernel", "depthwise_regularizer": "depthwise_kernel",
    "pointwise_regularizer": "pointwise_kernel", "recurrent_regularizer": "recurrent_kernel",
    "embeddings_regularizer": "embeddings", "bias_regularizer": "bias",
}  # fmt: skip
"""A layer's regulariser argument -> the tensor that it is on."""

CONFIDENCE: Final = 0.4
CONFIDENCE_DROWNS: Final = 0.6
"""The penalty shrinks as the weights do, and then the data count again."""


class ExcessiveRegularization(Rule):
    """A penalty on the weights that outweighs the loss.

    What it checks:
        The L1 and L2 terms of all layers, at the saved weights where the file has them, else at those
        that the initialisers draw, added up and held against the loss of a model that only knows how
        often each class occurs.

    Why training suffers:
        The optimizer follows the sum. Where the penalty is ten times the loss, the quickest way down is
        to shrink all weights, and the signal in them with it, before the data are learnt.

    Bad example:
        ```python
        x = layers.Dense(512, kernel_regularizer=keras.regularizers.L2(0.5))(x)
        ```

    Fixed example:
        ```python
        x = layers.Dense(512, kernel_regularizer=keras.regularizers.L2(1e-4))(x)
        ```

    How sure we are:
        The sum is exact for saved weights and right within a few percent for fresh ones. Whether the
        data or the penalty wins is for the probe to show, with the penalty taken out.

    Known limitations:
        Orthogonal and custom regularisers, penalties on activations and the optimizer's weight decay
        are not counted.

    References:
        Krogh and Hertz, A Simple Weight Decay Can Improve Generalization, 1991.
    """

    id: ClassVar[str] = "excessive-regularization"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "A penalty that outweighs the loss"
    optional: ClassVar[frozenset[Fact]] = frozenset({"training", "weights"})
    interventions: ClassVar[tuple[str, ...]] = ("remove-regularization",)
    specific: ClassVar[frozenset[str]] = frozenset({"remove-regularization"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/layers/regularizers/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Add up the penalties, and estimate the loss at chance."""
        graph = facts.graph
        saved = by_layer(facts.spec.weights.tensors) if facts.has("weights") else {}
        layers: dict[str, dict[str, Any]] = {}
        for layer in graph.flat.layers:
            terms = list(_terms(layer)) if layer.trainable else []
            if terms:
                tensors = {tensor.role: tensor for tensor in saved.get(layer.path, ())}
                layers[layer.path] = {"penalty": sum(_penalty(facts, layer, tensors, term) for term in terms)}
        if not layers:
            return NotApplicable("no layer has an L1 or L2 penalty")
        total = sum(row["penalty"] for row in layers.values())
        chance = _chance(facts)
        details = {"chance_loss": chance, "penalty": total, "saved": bool(saved)}
        return Measurement(min(total / chance, 1e30), "times the loss at chance", layers, details)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning from three times the loss, an error from ten times."""
        ratio = measurement.value
        if ratio < OUTWEIGHS:
            return ()
        severity: Severity = "error" if ratio >= DROWNS else "warning"
        rows, details = measurement.layers, measurement.details
        ordered = sorted(rows, key=lambda path: -rows[path]["penalty"])
        weights = "the saved weights" if details["saved"] else "freshly drawn weights"
        return (
            self.finding(
                severity,
                layers=ordered,
                evidence={"penalty": min(details["penalty"], 1e30), "chance_loss": details["chance_loss"], "ratio": ratio,
                          "largest": ordered[0], "largest_penalty": min(rows[ordered[0]]["penalty"], 1e30)},
                explanation=f"At {weights} the penalties add up to {number(details['penalty'])}, most of it from "
                f"{listed(ordered[:1])}, where a model that knows nothing has a loss of {number(details['chance_loss'])}: "
                f"the optimizer gains {number(ratio)} times as much by shrinking weights as by learning.",
                fix=f"Lower the factor of the L1/L2 penalty on {listed(ordered)} about {number(ratio / 0.1)} times, or "
                "take it out until the model learns.",
                confidence=CONFIDENCE_DROWNS if severity == "error" else CONFIDENCE,
            ),
        )  # fmt: skip


@dataclass(frozen=True)
class _Term:
    """One penalty: ``l1`` times the sum of magnitudes plus ``l2`` times that of squares of a tensor."""

    role: str
    l1: float
    l2: float


def _terms(layer: LayerSpec) -> Iterator[_Term]:
    """Every penalty of a layer on its weights."""
    config = core(layer).config
    for argument, role in ROLES.items():
        value = config.get(argument)
        inner = value.get("config") if isinstance(value, dict) else None
        if isinstance(inner, dict):
            factors = (inner.get(name, 0.0) for name in ("l1", "l2"))
            one, two = (float(factor) if isinstance(factor, int | float) else 0.0 for factor in factors)
            yield _Term(role, one, two)


def _penalty(facts: Facts, layer: LayerSpec, tensors: Mapping[str, TensorInfo], term: _Term) -> float:
    """One term at the saved tensor, or at what its initialiser draws; 0 where neither is known."""
    if term.role in tensors:
        summary = facts.graph.statistics.of(tensors[term.role])
        absolute = _absolute_sum(facts.spec.weights.load(tensors[term.role])) if term.l1 else 0.0
        squares = summary.rms**2 * summary.size
        penalty = term.l1 * absolute + term.l2 * squares
        return penalty if math.isfinite(penalty) else 0.0
    count, variance = _drawn(facts.graph, layer, term.role)
    return count * (term.l1 * math.sqrt(2 * variance / math.pi) + term.l2 * variance)


def _absolute_sum(values: Array) -> float:
    """Sum of magnitudes, a million elements at a time."""
    parts = np.array_split(values.reshape(-1), max(values.size >> 20, 1))
    return sum(float(np.abs(part).sum(dtype=np.float64)) for part in parts)


def _drawn(graph: Graph, layer: LayerSpec, role: str) -> tuple[int, float]:
    """Number and mean square of the weights that a kernel's initialiser draws."""
    before = graph.before(uses(graph, layer)[0])
    if role not in ("kernel", "depthwise_kernel") or not before:
        return 0, 0.0
    found = kernels(layer, graph.output_shape(before[0]))
    return (found[0].count, weight_variance(found[0]) or 0.0) if found else (0, 0.0)


def _chance(facts: Facts) -> float:
    """Loss of a model that knows only how often each class occurs, over all outputs."""
    training = facts.training if facts.has("training") else None
    losses = [
        math.log(max(head.units or 2, 2))
        if head.classifies or head.activation in ("softmax", "sigmoid")
        else CHANCE_REGRESSION
        for head in heads(facts.graph, training)
    ]
    return max(sum(losses), CHANCE_REGRESSION)

"""stalled-layers: layers that stood still while the model was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.freshness import KOLMOGOROV, freshness
from analyzers.rules.relu_units import RECORD_STEPS
from analyzers.rules.slots import KERNEL_ROLES, GradientMemory, gradient_record
from analyzers.rules.words import listed, number
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import is_weighted, normalized_behind

LARGEST_BIAS: Final = 1e-6
"""A bias that had a gradient is over it after a hundred steps at any usual rate (RULES.md)."""

LARGEST_GRADIENT: Final = 1e-8
"""Recorded RMS gradient of a layer that stands still: Adam's epsilon, 1e-7, then takes its steps (RULES.md)."""


class StalledLayers(Rule):
    """Layers that stood still while the model was trained.

    What it checks:
        After a hundred steps or more: trainable layers whose biases are all below 1e-6 and whose
        recorded gradient is below 1e-8 yet not exactly zero. Where the optimizer keeps no record
        (plain SGD): biases of exactly zero on a kernel that still has its initialiser's distribution.

    Why training suffers:
        The layer hands on what its random start makes of the input, and the layers behind have to live
        with it. If the first layers stand still, training adds a few layers on random features.

    Bad example:
        ```python
        for _ in range(12):
            x = layers.Dense(64, activation="sigmoid")(x)   # the gradient shrinks fourfold a layer
        ```

    Fixed example:
        ```python
        for _ in range(12):
            x = layers.Dense(64, activation="relu", kernel_initializer="he_normal")(x)
        ```

    How sure we are:
        The record and the biases agree, which chance does not bring about. The spread of a kernel
        against its initial spread tells nothing: it is about 1.00 in healthy and sick networks alike.
        Whether the model gets along with random layers is for the probe to say.

    Known limitations:
        Layers without a bias, or with a normalisation behind them (which takes the bias's gradient
        away), are judged by the record alone. Layers that never had any gradient are left to
        recorded-zero-gradient, frozen ones to frozen-random-layers.

    References:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010,
        https://proceedings.mlr.press/v9/glorot10a.html
    """

    id: ClassVar[str] = "stalled-layers"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "Layers that stood still during training"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training", "weights"})
    interventions: ClassVar[tuple[str, ...]] = (
        "he-initialization", "add-batch-normalization", "leaky-relu", "raise-learning-rate",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset({"he-initialization"})
    references: ClassVar[tuple[str, ...]] = ("https://proceedings.mlr.press/v9/glorot10a.html",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Largest bias, recorded gradient and distance from the initialiser of each trainable layer."""
        graph = facts.graph
        steps = facts.training.steps_taken
        if steps is None or steps < RECORD_STEPS:
            taken = "an unknown number of" if steps is None else steps
            return NotApplicable(
                f"{taken} steps were taken; a file saved with its optimizer after {RECORD_STEPS} steps or more "
                "would settle it"
            )
        memory = gradient_record(graph)
        behind = normalized_behind(graph)
        layers: dict[str, dict[str, Any]] = {}
        for node in graph.nodes:
            layer = graph.layer(node)
            if not layer.trainable or not is_weighted(layer):
                continue
            row = _row(graph, node, memory, normalized=node in behind)
            if row is not None:
                layers[layer.path] = row
        if not layers:
            return NotApplicable(
                "no trainable layer has a bias or a record by which to tell whether it moved"
            )
        stalled = sum(_stands_still(row) for row in layers.values())
        return Measurement(stalled / len(layers), "share of layers", layers, {"steps": steps})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Layers that stood still are an error, once the probe confirms it."""
        stalled = {path: row for path, row in measurement.layers.items() if _stands_still(row)}
        if not stalled:
            return ()
        gradients = [row["gradient_rms"] for row in stalled.values() if row["gradient_rms"] is not None]
        proof = (
            f"their recorded gradient is {number(max(gradients))} at most"
            if gradients
            else "their kernels still have the distribution of the initialiser"
        )
        others = len(measurement.layers) - len(stalled)
        return (
            self.finding(
                "error",
                layers=tuple(stalled),
                evidence={"steps": measurement.details["steps"], "layers_stalled": len(stalled),
                          "of": len(measurement.layers),
                          "largest_gradient": max(gradients) if gradients else None},
                explanation=f"In {measurement.details['steps']} steps {listed(stalled)} stood still: the biases are still "
                f"zero and {proof}{f', while {others} other layers moved' if others else ''}. What they hand on is "
                "what a random start makes of the input.",
                fix=f"Let the gradient reach {listed(stalled)}: he_normal with ReLU, BatchNormalization or skip "
                "connections between the layers; and check that the learning rate is not close to zero.",
                confidence=0.7,
            ),
        )  # fmt: skip


def _row(
    graph: Graph, node: Node, memory: GradientMemory | None, *, normalized: bool
) -> dict[str, Any] | None:
    """What shows whether a layer moved; None where nothing does."""
    own = graph.tensors.get(node.path, {})
    kernel = next((own[role] for role in KERNEL_ROLES if role in own), None)
    bias = own.get("bias")
    if kernel is None:
        return None
    largest = None if bias is None else graph.statistics.of(bias).largest
    row: dict[str, Any] = {"largest_bias": largest, "gradient_rms": None, "distance": None}
    if memory is not None:
        gradient = memory.rms(node.path, kernel.role) if memory.scale is not None else None
        return None if gradient is None else row | {"gradient_rms": gradient}
    if largest is None or largest >= LARGEST_BIAS:
        return row if largest is not None else None
    fresh = freshness(graph, graph.layer(node))
    return None if fresh is None or normalized else row | {"distance": fresh["distance"]}


def _stands_still(row: Mapping[str, Any]) -> bool:
    bias, gradient, distance = row["largest_bias"], row["gradient_rms"], row["distance"]
    if bias is not None and not bias < LARGEST_BIAS:
        return False
    if gradient is not None:
        return bool(0 < gradient < LARGEST_GRADIENT)
    return bool(bias == 0 and distance is not None and distance <= KOLMOGOROV)

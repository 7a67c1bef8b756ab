"""batch-normalization-untouched: moving statistics still at their start after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed
from analyzers.spec import TensorInfo
from analyzers.spec.graph import Graph

LEAST_STEPS: Final = 10
"""Steps after which moving statistics that were updated at all have left 0 and 1, whatever their momentum."""


class BatchNormalizationUntouched(Rule):
    """BatchNormalization whose moving statistics were never updated.

    What it checks:
        BatchNormalization layers whose moving mean is exactly 0 and moving variance exactly 1 in every
        channel, in a file with ten recorded steps or more, or whose own gamma or beta has been trained.

    Why training suffers:
        In inference the layer then normalises with a mean and a variance that it never measured. If it
        was trained in training mode, its outputs in inference are on another scale, and validation
        fails while the training loss falls. If it was run in inference mode throughout, it
        normalises nothing, and the depth that it should carry trains as if it were not there.

    Bad example:
        ```python
        with tf.GradientTape() as tape:
            loss = loss_function(y, model(x, training=False))
        ```

    Fixed example:
        ```python
        with tf.GradientTape() as tape:
            loss = loss_function(y, model(x, training=True))   # as fit() does
        ```

    How sure we are:
        That the statistics were never updated is certain, since no batch has a mean of exactly 0 in
        every channel. That it does harm is not: the model may have been trained to live with it.

    Known limitations:
        Custom training loops of TensorFlow 1 that forgot the update operations leave the same trace as
        inference mode. Keras 3 overrides training=False where a functional model was built with it. Without a step count only layers with a moved gamma or beta are judged.

    References:
        https://keras.io/api/layers/normalization_layers/batch_normalization/
    """

    id: ClassVar[str] = "batch-normalization-untouched"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "BatchNormalization statistics that were never updated"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    references: ClassVar[tuple[str, ...]] = (
        "https://keras.io/api/layers/normalization_layers/batch_normalization/",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Look which layers' statistics are at their start, and what shows that training took place."""
        spec, graph = facts.spec, facts.graph
        steps = None if spec.training is None else spec.training.steps_taken
        layers: dict[str, dict[str, Any]] = {}
        for layer in graph.flat.layers:
            own = graph.tensors.get(layer.path, {})
            if layer.kind == "BatchNormalization" and {"moving_mean", "moving_variance"} <= own.keys():
                layers[layer.path] = {
                    "untouched": graph.statistics.of(own["moving_mean"]).zero
                    and _all(graph, own["moving_variance"], 1.0),
                    "trained": _trained(graph, own.get("gamma"), 1.0)
                    or _trained(graph, own.get("beta"), 0.0),
                    "trainable": layer.trainable,
                }
        if not layers:
            return NotApplicable("no BatchNormalization with saved statistics in the model")
        untouched = sum(row["untouched"] for row in layers.values())
        return Measurement(untouched / len(layers), "share of layers", layers, {"steps": steps})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error where training is known to have taken place."""
        steps = measurement.details["steps"]
        enough = steps is not None and steps >= LEAST_STEPS
        found = {
            path: row
            for path, row in measurement.layers.items()
            if row["untouched"] and (enough or row["trained"])
        }
        if not found:
            return ()
        frozen = [path for path, row in found.items() if not row["trainable"]]
        proof = f"after {steps} steps" if enough else "although their gamma or beta was trained"
        return (
            self.finding(
                "error",
                layers=tuple(found),
                evidence={"layers_untouched": len(found), "of": len(measurement.layers), "frozen": frozen,
                          "steps": steps},
                explanation=f"The moving mean and variance of {listed(found)} are still exactly 0 and 1 {proof}: they were "
                f"{'frozen' if len(frozen) == len(found) else 'run with training=False'} throughout, or never "
                "updated. In inference they normalise with numbers that they never measured.",
                fix=f"Train with training=True, as fit() does, and leave {listed(found)} trainable; or take them out.",
                confidence=0.6,
            ),
        )  # fmt: skip


def _all(graph: Graph, tensor: TensorInfo, value: float) -> bool:
    return bool(np.all(graph.flat.weights.load(tensor) == value))


def _trained(graph: Graph, tensor: TensorInfo | None, start: float) -> bool:
    """Whether a gamma or beta has left its start in every channel, as an optimizer's steps leave it."""
    return tensor is not None and bool(np.all(graph.flat.weights.load(tensor) != start))

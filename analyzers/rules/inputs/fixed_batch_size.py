"""fixed-batch-size: a batch size is baked into an input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import subject
from analyzers.spec import LayerSpec
from analyzers.spec.model_inputs import model_inputs
from analyzers.spec.roles import core

SMALL_BATCH: Final = 4
"""Batches up to this make BatchNormalization's statistics noise (Wu & He, Group Normalization, 2018,
figure 1: the error rises steeply from 4 samples down)."""


class FixedBatchSize(Rule):
    """A batch size is baked into the input.

    What it checks:
        The batch axis of every input: a number there instead of None.

    Why training suffers:
        It does not by itself. But the last, smaller batch of an epoch fails or has to be dropped, one
        image cannot be predicted alone, and with BatchNormalization a batch of one to four samples
        gives statistics that are mostly noise.

    Bad example:
        ```python
        inputs = keras.Input(batch_shape=(30, 224, 224, 3))
        ```

    Fixed example:
        ```python
        inputs = keras.Input((224, 224, 3))
        ```

    How sure we are:
        The size is in the file. Information; a warning only for up to four samples together with
        BatchNormalization.

    Known limitations:
        A stateful recurrent layer needs a fixed batch size, so models with one are passed over.

    References:
        Wu and He, Group Normalization, 2018, https://arxiv.org/abs/1803.08494
    """

    id: ClassVar[str] = "fixed-batch-size"
    group: ClassVar[Group] = "inputs"
    title: ClassVar[str] = "Batch size baked into the input"
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1803.08494",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the batch axis of every input."""
        graph = facts.graph
        if any(_stateful(layer) for layer in graph.flat.layers):
            return NotApplicable("a stateful recurrent layer needs a fixed batch size")
        sizes = {item.name: item.shape[0] for item in model_inputs(graph) if item.shape and item.shape[0]}
        normalizing = [
            layer.path
            for layer in graph.flat.layers
            if layer.kind == "BatchNormalization" and layer.trainable
        ]
        return Measurement(
            float(min(filter(None, sizes.values()), default=0)),
            "samples",
            {name: {"batch_size": size} for name, size in sizes.items()},
            {"batch_normalizations": normalizing},
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Tell every fixed size; warn of tiny ones under BatchNormalization."""
        if not measurement.layers:
            return ()
        size, normalizing = int(measurement.value), measurement.details["batch_normalizations"]
        tiny = size <= SMALL_BATCH and bool(normalizing)
        explanation = (
            f"{subject(measurement.layers, 'accepts', 'accept')} batches of exactly {size} samples: the last batch of "
            "an epoch fails when it is smaller, and one sample cannot be predicted alone."
        )
        if tiny:
            explanation += f" {subject(normalizing, 'takes its', 'take their')} statistics from {size} samples, which is mostly noise."
        return (
            self.finding(
                "warning" if tiny else "info",
                layers=tuple(measurement.layers),
                evidence={"batch_size": size, "batch_normalizations": len(normalizing)},
                explanation=explanation,
                fix="Leave the batch axis open: keras.Input(shape=...) without a batch size.",
                confidence=0.9,
            ),
        )


def _stateful(layer: LayerSpec) -> bool:
    inner = core(layer)
    wrapped = inner.config.get("layer")
    settings = wrapped.get("config") if inner.kind == "Bidirectional" and isinstance(wrapped, dict) else None
    return bool(inner.config.get("stateful")) or (
        isinstance(settings, dict) and bool(settings.get("stateful"))
    )

"""What optimizer slots remember of the gradients of the real training run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from analyzers.rule import NotApplicable
from analyzers.spec import ModelSpec, TensorInfo, by_layer
from analyzers.spec.graph import Graph, once
from analyzers.spec.roles import is_weighted

Kept = Literal["average", "squares", "largest", "sum"]
"""What a slot keeps: a running average of gradients or of their squares, the largest of late, a sum of squares."""


@dataclass(frozen=True)
class _Slot:
    """One optimizer's slot: its name, what it keeps, the argument with its decay, Keras's default for that."""

    name: str
    keeps: Kept
    argument: str
    default: float


_VELOCITY: Final = _Slot("velocity", "squares", "beta_2", 0.999)
_MOMENTUM: Final = _Slot("momentum", "average", "beta_1", 0.9)

_SIZES: Final[Mapping[str, _Slot]] = {
    "Adam": _VELOCITY,
    "AdamW": _VELOCITY,
    "Nadam": _VELOCITY,
    "Lamb": _VELOCITY,
    "Adamax": _Slot("norm", "largest", "beta_2", 0.999),
    "RMSprop": _Slot("velocity", "squares", "rho", 0.9),
    "Adadelta": _Slot("accumulated_grad", "squares", "rho", 0.95),
    "Adagrad": _Slot("accumulator", "sum", "initial_accumulator_value", 0.1),
}
"""Optimizer -> the slot that keeps the size of gradients; Adagrad's argument is where its sum starts."""

_AVERAGES: Final[Mapping[str, _Slot]] = {
    "Adam": _MOMENTUM,
    "AdamW": _MOMENTUM,
    "Nadam": _MOMENTUM,
    "Lamb": _MOMENTUM,
    "Adamax": _MOMENTUM,
    "Lion": _Slot("momentum", "average", "beta_2", 0.99),
    "SGD": _Slot("momentum", "average", "momentum", 0.0),
}
"""Optimizer -> the slot that averages gradients; SGD's holds steps, which are gradients times minus the rate."""

KERNEL_ROLES: Final = ("kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel")
"""Kernels of weighted layers, the one that meets the layer's input first."""

_ROWS: Final = 4096
"""Rows of a slot that are widened to double precision at a time."""

_LOST: Final = 1e-6
"""Growth of Adagrad's sum, relative to its start, that single precision no longer holds."""


@dataclass(frozen=True)
class GradientMemory:
    """One kind of slot, read as a memory of gradients.

    Attributes:
        graph: the model.
        keeps: what the slots hold.
        decay: share that is kept at each step; 1 for a sum.
        start: value before the first step.
        scale: factor from what is kept to gradients; None where it is not known (SGD without a constant
            rate), and then only ratios between tensors mean anything.
        slots: the slot of each weight, by (layer path, role).
    """

    graph: Graph
    keeps: Kept
    decay: float
    start: float
    scale: float | None
    slots: Mapping[tuple[str, str], TensorInfo]

    @property
    def steps(self) -> int | None:
        """Steps taken; None where the file does not say."""
        training = self.graph.flat.training
        return None if training is None else training.steps_taken

    @property
    def remembered(self) -> float:
        """Steps that the memory reaches back: the age of the evidence."""
        reach = 1 / max(1 - self.decay, 1e-9)
        return reach if self.steps is None else min(reach, float(self.steps))

    @property
    def proves_zero(self) -> bool:
        """Whether a slot of exactly zero shows that no gradient came."""
        return self.start == 0

    @property
    def forgets(self) -> float:
        """Factor by which the remembered size of a gradient shrinks in a step without one."""
        return math.sqrt(self.decay) if self.keeps == "squares" else self.decay

    @cached_property
    def by_layer(self) -> Mapping[str, tuple[TensorInfo, ...]]:
        """The slots of each layer."""
        return by_layer(tuple(self.slots.values()))

    def rms(self, layer: str, role: str) -> float | None:
        """Root mean square of the recorded gradient of one tensor.

        Averages are corrected for their start at zero (Kingma and Ba 2015, section 3); without a step
        count the run is taken to be long.

        Returns:
            None where the tensor has no slot, or where a sum's growth is not known or was lost to rounding.
        """
        slot = self.slots.get((layer, role))
        if slot is None:
            return None
        summary = self.graph.statistics.of(slot)
        begun = 1.0 if self.steps is None else 1 - self.decay ** max(self.steps, 1)
        if self.keeps == "squares":
            return math.sqrt(max(summary.mean, 0.0) / begun)
        if self.keeps == "sum":
            grown = summary.mean - self.start
            return math.sqrt(grown / self.steps) if self.steps and grown > _LOST * self.start else None
        return summary.rms * abs(self.scale or 1.0) / (begun if self.keeps == "average" else 1.0)

    def average(self, layer: str, role: str) -> NDArray[np.float64] | None:
        """The averaged gradient of one tensor, corrected for its start at zero.

        Returns:
            None where the tensor has no slot, or the slots keep no average on a known scale.
        """
        slot = self.slots.get((layer, role))
        if slot is None or self.keeps != "average" or self.scale is None:
            return None
        begun = 1.0 if self.steps is None else 1 - self.decay ** max(self.steps, 1)
        return self.graph.flat.weights.load(slot).astype(np.float64) * (self.scale / begun)

    def unit_squares(self, slot: TensorInfo) -> NDArray[np.float64]:
        """Mean recorded squared gradient of each unit (the last axis), up to a factor that all tensors share."""
        values = self.graph.flat.weights.load(slot)
        rows = values.reshape(-1, values.shape[-1])
        total = np.zeros(rows.shape[-1])
        for start in range(0, len(rows), _ROWS):
            total += self._squares(rows[start : start + _ROWS].astype(np.float64)).sum(axis=0)
        return total / max(len(rows), 1)

    def _squares(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.keeps == "sum":
            return np.where(values > self.start * (1 + _LOST), values - self.start, 0.0)
        return values if self.keeps == "squares" else np.square(values)

    def had_gradient(self, layer: str) -> bool:
        """Whether any slot of a layer holds a number other than zero."""
        return any(not self.graph.statistics.of(slot).zero for slot in self.by_layer.get(layer, ()))


@once
def gradient_sizes(graph: Graph) -> GradientMemory | None:
    """The record of gradients' sizes, where the optimizer keeps one."""
    return _memory(graph, _SIZES)


@once
def gradient_averages(graph: Graph) -> GradientMemory | None:
    """The running averages of gradients, where the optimizer keeps them."""
    return _memory(graph, _AVERAGES)


def gradient_record(graph: Graph) -> GradientMemory | None:
    """The record that reaches back furthest: sizes, or else averages."""
    return gradient_sizes(graph) or gradient_averages(graph)


def _memory(graph: Graph, table: Mapping[str, _Slot]) -> GradientMemory | None:
    spec = graph.flat
    training = spec.training
    if training is None or training.optimizer is None or training.optimizer.kind not in table:
        return None
    kept = table[training.optimizer.kind]
    slots = {(info.layer, info.role): info for info in spec.weights.slots if info.slot == kept.name}
    setting = training.optimizer.config.get(kept.argument, kept.default)
    if not slots or not isinstance(setting, int | float) or not math.isfinite(setting):
        return None
    if kept.keeps == "sum":
        return GradientMemory(graph, kept.keeps, 1.0, float(setting), 1.0, slots)
    if not 0 < setting < 1:
        return None
    scale: float | None = 1.0
    if training.optimizer.kind == "SGD":
        rate = rate_in_force(spec)
        scale = -(1 - setting) / rate if rate else None
    return GradientMemory(graph, kept.keeps, float(setting), 0.0, scale, slots)


def rate_in_force(spec: ModelSpec) -> float | None:
    """The rate of the last steps: the saved one, or the configured one where no schedule changes it."""
    training = spec.training
    if training is None:
        return None
    rate = training.rate_in_force
    if rate is None and training.schedule is None:
        rate = training.learning_rate
    return rate if rate is not None and math.isfinite(rate) else None


def no_memory(spec: ModelSpec) -> NotApplicable:
    """Why no recorded gradient can be read, and what would settle it."""
    if spec.weights.slot_problem is not None:
        return NotApplicable(f"the optimizer's state could not be mapped: {spec.weights.slot_problem}")
    return NotApplicable(
        "the optimizer's state holds no record of gradients that tells this; a file saved with model.save() "
        "while training with Adam or RMSprop would settle it"
    )


def too_few_steps(spec: ModelSpec, least: int) -> NotApplicable | None:
    """Abstain where the file says that fewer than ``least`` steps were taken; unknown counts as enough."""
    taken = None if spec.training is None else spec.training.steps_taken
    if taken is None or taken >= least:
        return None
    return NotApplicable(
        f"{taken} steps were taken; a file saved after {least} steps or more would settle it"
    )


@once
def kernels_by_depth(graph: Graph) -> tuple[tuple[str, TensorInfo], ...]:
    """The first kernel of every trainable weighted layer, from the input to the output.

    Embeddings are left out: most of their rows get no gradient in a step.
    """
    found: dict[str, TensorInfo] = {}
    for node in sorted(graph.nodes, key=lambda node: graph.depth[node]):
        layer = graph.layer(node)
        if not layer.trainable or not is_weighted(layer) or node.path in found:
            continue
        own = graph.tensors.get(node.path, {})
        kernel = next((own[role] for role in KERNEL_ROLES if role in own), None)
        if kernel is not None:
            found[node.path] = kernel
    return tuple(found.items())

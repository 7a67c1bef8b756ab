"""The scale of the real training data, read back from what it left in the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analyzers.rules.relu_units import RECORD_STEPS
from analyzers.rules.slots import GradientMemory, gradient_record
from analyzers.spec import Array, LayerSpec
from analyzers.spec.graph import Graph, Node
from analyzers.spec.model_inputs import ModelInput, model_inputs
from analyzers.spec.roles import is_weighted, normalized_next, normalizes

RAW: Final = 10.0
"""Scale from which the input is raw.  56 networks trained at known scales put the best threshold at 8.5
(``benchmarks/INPUT_SCALE.md``): usual scales were estimated at up to 3, 0-255 pixels from 10 on."""

KEPT_ZERO: Final = 0.5
"""Share of a moving variance that may still be its start value of 1 for the rest to be read from it."""

_LAYERS: Final = frozenset({"Dense", "Conv1D", "Conv2D", "Conv3D"})


@dataclass(frozen=True)
class RecordedScale:
    """The size of the numbers that one first layer was fed in the real run, to an order of magnitude.

    Attributes:
        input: where they came in.
        scale: their root mean square or standard deviation.
        read_from: what it was read from, for a sentence.
    """

    input: ModelInput
    scale: float
    read_from: str


def recorded_scales(graph: Graph) -> Mapping[str, RecordedScale]:
    """The scale at every first trainable layer, by path, where the file tells it; empty where it does not."""
    memory = gradient_record(graph)
    found: dict[str, RecordedScale] = {}
    for item in model_inputs(graph):
        for node in graph.frontier(item.node, _stops):
            estimate = _estimate(graph, node, memory)
            if estimate is not None:
                found[node.path] = RecordedScale(item, estimate[1], estimate[0])
    return found


def _stops(layer: LayerSpec) -> bool:
    return is_weighted(layer) or normalizes(layer) or not layer.known


def _estimate(graph: Graph, node: Node, memory: GradientMemory | None) -> tuple[str, float] | None:
    """Where the scale was read and what it is; None where no way is open for this first layer."""
    layer = graph.layer(node)
    own = graph.tensors.get(node.path, {})
    if layer.kind not in _LAYERS or not layer.trainable or "kernel" not in own or len(layer.inbound) > 1:
        return None
    if not normalized_next(graph, node):
        ratio = None if memory is None else gradient_ratio(layer, memory)
        return None if ratio is None else ("the optimizer's record of gradients", ratio)
    following = graph.after(node)
    if len(following) != 1 or graph.layer(following[0]).kind != "BatchNormalization":
        return None
    normalization = graph.layer(following[0])
    variance = graph.tensors.get(normalization.path, {}).get("moving_variance")
    steps = None if graph.flat.training is None else graph.flat.training.steps_taken
    momentum = normalization.config.get("momentum", 0.99)
    if variance is None or steps is None or not isinstance(momentum, int | float):
        return None
    load = graph.flat.weights.load
    scale = normalized_scale(load(variance), load(own["kernel"]), float(momentum), steps)
    return None if scale is None else ("BatchNormalization's moving variance", scale)


def gradient_ratio(layer: LayerSpec, memory: GradientMemory) -> float | None:
    """RMS of the kernel's recorded gradient over RMS of the bias's, over the units that had one."""
    kernel, bias = memory.slots.get((layer.path, "kernel")), memory.slots.get((layer.path, "bias"))
    too_early = memory.steps is not None and memory.steps < RECORD_STEPS
    if kernel is None or bias is None or too_early or layer.config.get("kernel_regularizer") is not None:
        return None
    of_bias = memory.unit_squares(bias)
    alive = of_bias > np.finfo(np.float32).tiny
    if not alive.any() or not np.isfinite(of_bias).all():
        return None
    ratio = float(np.sqrt(memory.unit_squares(kernel)[alive].mean() / of_bias[alive].mean()))
    return ratio if math.isfinite(ratio) and ratio > 0 else None


def normalized_scale(variance: Array, kernel: Array, momentum: float, steps: int) -> float | None:
    """Standard deviation of the input of a layer whose output's variance a normalisation tracked.

    Args:
        variance: (channels,) moving variance, started at 1.
        kernel: (..., channels) of the layer in front.
        momentum: share of the moving variance that is kept at each step.
        steps: steps taken.

    Returns:
        The estimate; None where the start value still weighs too much or nothing is left without it.
    """
    start = momentum**steps
    if start > KEPT_ZERO:
        return None
    norms = np.square(kernel.reshape(-1, kernel.shape[-1]), dtype=np.float64).sum(axis=0)
    usable = norms > 0
    ratio = (variance[usable].astype(np.float64) - start) / (1 - start) / norms[usable]
    middle = float(np.median(ratio)) if ratio.size else 0.0
    return math.sqrt(middle) if math.isfinite(middle) and middle > 0 else None

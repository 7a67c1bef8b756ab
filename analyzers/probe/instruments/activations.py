"""Scale and death of layer outputs, computed inside the training step from tensors it has anyway."""

from __future__ import annotations

from typing import Any

from keras import ops


def scale(output: Any) -> Any:
    """Mean of squares and variance over all values of a layer's output.

    Args:
        output: (batch, ...) tensor.

    Returns:
        (2,) float32: mean square, variance.
    """
    values = ops.cast(output, "float32")
    return ops.stack([ops.mean(ops.square(values)), ops.var(values)])


def dead_fraction(output: Any, unit_axis: int = -1) -> Any:
    """Share of units (channels) that are positive for no sample and position.

    Args:
        output: (batch, ..., units) output of a ReLU.
        unit_axis: axis of the units.

    Returns:
        Scalar float32 in [0, 1].
    """
    rank = len(output.shape)
    others = tuple(axis for axis in range(rank) if axis != unit_axis % rank)
    alive = ops.any(ops.greater(output, 0), axis=others)
    return 1.0 - ops.mean(ops.cast(alive, "float32"))

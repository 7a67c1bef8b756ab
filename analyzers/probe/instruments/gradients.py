"""Sizes of gradients, updates and weights, as sums of squares that add up over a layer's tensors."""

from __future__ import annotations

from typing import Any

from keras import ops


def sum_of_squares(tensor: Any | None) -> Any:
    """Sum of squares of a tensor in float32; 0 for a missing gradient.

    The L2 norm over several tensors is the root of the sum of these.
    """
    if tensor is None:
        return ops.zeros((), dtype="float32")
    return ops.sum(ops.square(ops.cast(ops.convert_to_tensor(tensor), "float32")))

"""What one pass over a saved tensor tells: how large its numbers are and whether all are finite.

A pass goes slice by slice, so that a large tensor needs no second copy of itself, and its result is kept:
however many rules ask, the file is read once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analyzers.spec.weights import Array, TensorInfo, Weights

_SLICE: Final = 1 << 18
"""Elements of a slice: what a core's cache holds in single precision."""

_SAFE_SQUARES: Final = (1e-20, 1e30)
"""Sums of squares that single precision holds without loss that matters."""


@dataclass(frozen=True)
class Summary:
    """One tensor's numbers in brief.

    Attributes:
        size: number of elements.
        nan, infinite: how many are NaN, and how many infinite.
        largest: largest absolute value; 0 for an empty tensor, NaN or infinite where an element is.
        mean: of all elements; 0 for an empty tensor.
        rms: root mean square of all elements; 0 for an empty tensor.
    """

    size: int
    nan: int
    infinite: int
    largest: float
    mean: float
    rms: float

    @property
    def finite(self) -> bool:
        """Whether every element is a finite number."""
        return not (self.nan or self.infinite)

    @property
    def zero(self) -> bool:
        """Whether every element is exactly zero."""
        return self.largest == 0


def summarize(values: Array) -> Summary:
    """One pass over an array; sums are pairwise within a slice and in double precision across."""
    nan = infinite = 0
    largest = total = squares = 0.0
    for part in _slices(values):
        peak = float(np.maximum(np.max(part), -np.min(part)))
        if not math.isfinite(peak):
            nan += int(np.isnan(part).sum())
            infinite += int(np.isinf(part).sum())
        largest = float(np.maximum(largest, peak))
        with np.errstate(invalid="ignore", over="ignore"):
            total += float(np.sum(part, dtype=part.dtype))
            squares += _square_sum(part)
    count = max(values.size, 1)
    return Summary(values.size, nan, infinite, largest, total / count, math.sqrt(squares / count))


def _slices(values: Array) -> Iterator[NDArray[Any]]:
    """The elements of an array in single or double precision, slice by slice."""
    flat = values.reshape(-1)
    wide = np.float64 if flat.dtype == np.float64 else np.float32
    for start in range(0, flat.size, _SLICE):
        yield flat[start : start + _SLICE].astype(wide, copy=False)


def _square_sum(part: NDArray[Any]) -> float:
    """Sum of squares, in double precision where single precision might underflow or overflow."""
    total = float(np.dot(part, part))
    if part.dtype == np.float64 or _SAFE_SQUARES[0] < total < _SAFE_SQUARES[1]:
        return total
    doubles = part.astype(np.float64)
    return float(np.dot(doubles, doubles))


class Statistics:
    """The summaries of a file's tensors, each made when it is first asked for.

    Args:
        weights: the tensors.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._known: dict[TensorInfo, Summary] = {}

    def of(self, tensor: TensorInfo) -> Summary:
        """The summary of one tensor.

        Raises:
            KeyError: the tensor is not one of the file's.
        """
        if tensor not in self._known:
            self._known[tensor] = summarize(self._weights.load(tensor))
        return self._known[tensor]

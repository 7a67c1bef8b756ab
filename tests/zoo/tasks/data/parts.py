"""What a data set is made of: two parts, inputs and targets in the order of the model's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

Measure = Literal["class", "yes-no", "value"]
"""How an output is measured: the share of wrong classes (targets: class indices), the share of wrong
decisions (0 or 1, a column each), the mean square error (numbers)."""

HELD_OUT = 0.3


@dataclass(frozen=True)
class Part:
    """Samples along the first axis of every array; a target has the model's output shape, classes are indices."""

    inputs: tuple[Array, ...]
    targets: tuple[Array, ...]

    def take(self, chosen: Array) -> Part:
        """The samples at these positions."""
        return Part(tuple(a[chosen] for a in self.inputs), tuple(a[chosen] for a in self.targets))

    def __len__(self) -> int:
        return len(self.inputs[0])


@dataclass(frozen=True)
class RealData:
    """What is trained on, and what was held out."""

    train: Part
    held: Part


def split(inputs: tuple[Array, ...], targets: tuple[Array, ...], seed: int = 0) -> RealData:
    """Shuffled; the last `HELD_OUT` of the samples are held out."""
    whole = Part(inputs, targets)
    order = np.random.default_rng(seed).permutation(len(whole))
    end = round(len(whole) * (1 - HELD_OUT))
    return RealData(whole.take(order[:end]), whole.take(order[end:]))


def standardized(values: Array) -> Array:
    """Every column with mean 0 and variance 1."""
    return np.asarray((values - values.mean(axis=0)) / values.std(axis=0), np.float32)

"""What a batch of samples is about: the answers, and the code by which each input tells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from analyzers.probe.samples.fields import interpolation
from analyzers.spec import Array

Joint = Literal["single", "sum", "pair"]
"""How inputs answer together.  ``single``: each tells all.  ``sum``: only the sum of their codes does.
``pair``: whether two inputs are of the same class is the answer."""

PAIR_CLASSES: Final = 3
"""Classes that the two inputs of a pair are of."""

MARGIN: Final = 1.0
"""By how much the right class of a sum of codes leads the next one."""

CELLS: Final = 4
"""Patches along each axis, where every position has an answer of its own."""

DOMINANT: Final = 0.5
"""Share of the patches that are of the class which answers for the sample as a whole, besides its fair
share of the others."""


@dataclass(frozen=True)
class Codes:
    """One batch.

    Attributes:
        labels: (batch,) class of each sample as a whole; all 0 without classes.
        values: (batch, values) numbers of each sample, mean 0 and variance 1.
        label_map: (batch, *grid) class at each position; None where samples answer as a whole.
        value_map: (batch, *grid, values) numbers at each position; None likewise.
        shown: per input, the (batch, sources) code that it shows; for local answers (batch, *grid, sources).
    """

    labels: Array
    values: Array
    label_map: Array | None
    value_map: Array | None
    shown: tuple[Array, ...]


def whole(
    size: int, classes: int, values: int, *, telling: Sequence[bool], joint: Joint, rng: np.random.Generator
) -> Codes:
    """Samples that answer as a whole; labels are balanced.

    Args:
        size: samples.
        classes: of the labels.
        values: numbers of each sample.
        telling: per input, whether it tells all even where others tell a part each.
        joint: how the inputs answer together.
        rng: draws them.
    """
    if joint == "pair":
        return _pairs(size, rng)
    labels = rng.permutation(np.arange(size) % max(classes, 1))
    numbers = rng.normal(size=(size, values))
    one_hot = np.eye(classes)[labels] if classes else np.zeros((size, 0))
    all_of_it = np.concatenate([one_hot, numbers / np.sqrt(max(values, 1))], axis=-1)
    if joint == "single" or all(telling):
        return Codes(labels, numbers, None, None, (all_of_it,) * len(telling))
    leading = rng.normal(size=(size, classes))
    leading += (
        one_hot * (leading.max(axis=-1, initial=0.0) - (leading * one_hot).sum(axis=-1) + MARGIN)[:, None]
    )
    total = np.concatenate([leading / np.sqrt(max(classes, 1)), numbers / np.sqrt(max(values, 1))], axis=-1)
    parts = iter(_parts(total, len(telling) - sum(telling), rng))
    return Codes(labels, numbers, None, None, tuple(all_of_it if tells else next(parts) for tells in telling))


def _parts(total: Array, inputs: int, rng: np.random.Generator) -> tuple[Array, ...]:
    """Codes of several inputs, each as large as the whole, whose mean is the whole over sqrt(inputs)."""
    width = max(total.shape[-1], 1)
    parts = rng.normal(size=(inputs, *total.shape)) / np.sqrt(width)
    parts += total / np.sqrt(inputs) - parts.mean(axis=0)
    return tuple(parts)


def _pairs(size: int, rng: np.random.Generator) -> Codes:
    same = rng.permutation(np.arange(size) % 2)
    first = rng.integers(PAIR_CLASSES, size=size)
    other = (first + rng.integers(1, PAIR_CLASSES, size=size)) % PAIR_CLASSES
    shown = tuple(np.eye(PAIR_CLASSES)[labels] for labels in (first, np.where(same == 1, first, other)))
    return Codes(same, np.zeros((size, 0)), None, None, shown)


def local(
    size: int, classes: int, values: int, grids: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> Codes:
    """Samples that have an answer of their own at every position.

    Args:
        size: samples.
        classes: of the label at a position.
        values: numbers at a position.
        grids: per input, the sizes of its axes; the answers are given on those of the first.
        rng: draws them.
    """
    labels = rng.permutation(np.arange(size) % max(classes, 1))
    axes = len(grids[0])
    patches = rng.integers(max(classes, 1), size=(size, *(CELLS,) * axes))
    dominant = rng.random(patches.shape) < DOMINANT
    patches = np.where(dominant, labels.reshape(size, *(1,) * axes), patches)
    knots = rng.normal(size=(size, *(CELLS,) * axes, values))
    maps = [(nearest(patches, grid), smooth(knots, grid)) for grid in grids]
    shown = tuple(
        np.concatenate([np.eye(classes)[where] if classes else np.zeros((*where.shape, 0)), number], axis=-1)
        for where, number in maps
    )
    numbers = maps[0][1].mean(axis=tuple(range(1, axes + 1)))
    return Codes(labels, numbers, maps[0][0], maps[0][1], shown)


def nearest(maps: Array, grid: Sequence[int]) -> Array:
    """(batch, *axes, ...) maps on another grid, each position taking the value nearest to it.

    A grid of more or fewer axes than the maps gets them along its first ones.
    """
    for axis, size in enumerate(grid, 1):
        if axis < maps.ndim:
            maps = np.take(maps, np.arange(size) * maps.shape[axis] // size, axis=axis)
    return maps


def smooth(knots: Array, grid: Sequence[int]) -> Array:
    """(batch, *CELLS an axis, ...) values at knots on a finer grid, between them interpolated linearly."""
    for axis, size in enumerate(grid, 1):
        knots = np.moveaxis(np.tensordot(interpolation(size, CELLS), knots, axes=(1, axis)), 0, axis)
    return np.asarray(knots)

"""The scale of the numbers that a trained model answers: its own task may be far from mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from analyzers.probe.heads import TrainedHead
from analyzers.probe.targets import Targets
from analyzers.probe.task import Numbers
from analyzers.spec import Array

OFF_CENTRE: Final = 3.0
"""Size of the mean up to which numbers count as standardised: a network shifts its answers so far in a few steps."""

WIDE: Final = 10.0
"""Standard deviation up to which they do.  Narrow answers prove nothing: those of a stuck network are narrow too."""

CONSTANT: Final = 0.01
"""Standard deviation, as a share of the mean's size, under which answers do not tell how far apart the numbers lie."""

ORDINARY: Final = 0.5
"""The same share where it has to be assumed: prices, ages and counts deviate by about half of their mean."""


@dataclass(frozen=True)
class Recorded:
    """What a file remembers of its own training.

    Attributes:
        errors: by an output's position, (units,) by how much its answers were too large in the last steps.
        input_scales: the size of what each first layer was fed; empty where that is not known of every input.
    """

    errors: Mapping[int, Array] = field(default_factory=dict)
    input_scales: tuple[float, ...] = ()


def numbers_of(
    heads: Sequence[TrainedHead], answers: Sequence[Array], errors: Mapping[int, Array]
) -> dict[int, Numbers]:
    """The scales of those outputs that have their own, by the output's position.

    Args:
        heads: the trained outputs.
        answers: what each answers, as `own_numbers` takes it.
        errors: of `Recorded`.
    """
    asked = [(head.index, given) for head, given in zip(heads, answers, strict=True) if head.takes_any_number]
    scales = ((index, own_numbers(given, errors.get(index))) for index, given in asked)
    return {index: scale for index, scale in scales if scale is not None}


def own_numbers(answers: Array, error: Array | None = None) -> Numbers | None:
    """The scale of the numbers that a trained output is made for (PROBE.md, "Regression").

    Args:
        answers: (samples, ..., units) what it answers.
        error: (units,) by how much its answers were too large on average in the last steps of its own training, as
            the optimizer's state tells; None where nothing does.

    Returns:
        None where they are near mean 0 and standard deviation 1, or not finite.
    """
    rows = answers.reshape(-1, answers.shape[-1]).astype(np.float64)
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    if error is not None:
        far = np.abs(error) > std  # it is not yet where its numbers are
        mean = np.where(far, mean - error, mean)
        std = np.where(far, np.maximum(std, ORDINARY * np.abs(error)), std)
    std = np.where(std < CONSTANT * np.abs(mean), ORDINARY * np.abs(mean), std)
    if not (np.isfinite(mean).all() and np.isfinite(std).all()):
        return None
    if np.abs(mean).max() <= OFF_CENTRE and std.max() <= WIDE:
        return None
    return Numbers(tuple(mean.tolist()), tuple(np.maximum(std, np.finfo(np.float32).eps).tolist()))


def in_units(targets: Targets) -> str:
    """The scale of the numbers that are asked for, for a person: of each output that has its own."""
    asked = [head.numbers for head in targets.heads if head.numbers is not None]
    return "; ".join(f"mean {_range(one.mean)}, standard deviation {_range(one.std)}" for one in asked)


def _range(values: tuple[float, ...]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} to {high}"

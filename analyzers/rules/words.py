"""How rules put names and numbers into sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from analyzers.spec import Shape

MOST_NAMES: Final = 4
"""Names written out in a sentence; the rest is counted (the finding's ``layers`` has them all)."""


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: ``a``, ``a and b``, ``a, b, c, d and 9 more``."""
    unique = list(dict.fromkeys(names))
    if len(unique) > MOST_NAMES:
        return f"{', '.join(unique[:MOST_NAMES])} and {len(unique) - MOST_NAMES} more"
    return " and ".join(filter(None, [", ".join(unique[:-1]), *unique[-1:]]))


def subject(names: Collection[str], one: str, many: str) -> str:
    """Names with the form of the verb that belongs to their number: ``a stands``, ``a and b stand``."""
    return f"{listed(names)} {one if len(set(names)) == 1 else many}"


def shape_text(shape: Shape) -> str:
    """A batch shape without its batch axis, for a person: ``224x224x3``; ``?`` for an open size."""
    return "x".join("?" if size is None else str(size) for size in shape[1:])


def number(value: float) -> str:
    """A figure for a sentence: three significant digits."""
    return f"{value:.3g}"


def roughly(value: float) -> str:
    """A figure that is right to an order of magnitude: one significant digit."""
    return number(float(f"{value:.1g}"))


def count(number: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


PIXELS_SCALED: Final = "Rescaling(1/127.5, offset=-1)"
FEATURES_SCALED: Final = "a Normalization layer, adapted to the training data"
"""What scales an input within the model: images, whose range is known, and features, each of its own."""

"""Data of several inputs or several targets, made of the digits."""

from __future__ import annotations

import numpy as np

from tests.zoo.tasks.data.images import pixels
from tests.zoo.tasks.data.parts import Part, RealData, split, standardized

PAIRS = 4000


def pairs() -> RealData:
    """Two digits, each (8, 8, 1) in 0-1 -> whether they are the same, (1,); no image is in both parts."""
    rng = np.random.default_rng(0)
    images, labels = pixels()
    whole = split((images,), (labels,))
    parts = []
    for part, count in ((whole.train, PAIRS), (whole.held, PAIRS // 8)):
        left = rng.integers(0, len(part), count)
        same = rng.integers(0, 2, count).astype(bool)
        label = part.targets[0]
        right = np.array(
            [rng.choice(np.flatnonzero((label == label[i]) == s)) for i, s in zip(left, same, strict=True)]
        )
        parts.append(
            Part(
                (part.inputs[0][left], part.inputs[0][right]),
                ((label[left] == label[right]).astype("float32")[:, None],),
            )
        )
    return RealData(*parts)


def digit_and_number() -> RealData:
    """A digit (8, 8, 1) in 0-1 and a row (3,) -> whether the digit is larger than ten times the row's first."""
    rng = np.random.default_rng(0)
    images, labels = pixels()
    number = rng.uniform(0, 1, (len(images), 3)).astype("float32")
    larger = (labels > 10 * number[:, 0] - 0.5).astype("float32")[:, None]
    return split((images, number), (larger,))


def digit_and_parity() -> RealData:
    """(8, 8, 1) in 0-1 -> 10 classes, and whether the digit is odd, (1,)."""
    images, labels = pixels()
    return split((images,), (labels, (labels % 2).astype("float32")[:, None]))


def digit_and_ink() -> RealData:
    """(8, 8, 1) in 0-1 -> 10 classes, and the sum of all pixels, standardised, (1,)."""
    images, labels = pixels()
    return split((images,), (labels, standardized(images.sum(axis=(1, 2)))))

"""An easy, seeded image classification task: a smooth template for each class, plus noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.zoo.cases.case import PixelRange

Array = NDArray[np.float32]

SCALING: dict[PixelRange, tuple[float, float]] = {
    "0-255": (1.0, 0.0),
    "0-1": (1 / 255.0, 0.0),
    "-0.5-0.5": (1 / 255.0, -0.5),
    "-1-1": (1 / 127.5, -1.0),
    "standardized": (1 / 60.0, -127.5 / 60.0),
}
"""Scale -> factor and offset on pixels 0-255."""

_TEMPLATE_CELLS = 4


class ImageTask:
    """Batches of labelled images that any sound classifier separates within a few dozen steps.

    Args:
        size: height and width in pixels.
        classes: number of classes.
        pixels: scale of the images.
        seed: of templates, labels and noise.
    """

    def __init__(self, size: int, classes: int, pixels: PixelRange, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._classes = classes
        self._factor, self._offset = SCALING[pixels]
        coarse = self._random.normal(size=(classes, _TEMPLATE_CELLS, _TEMPLATE_CELLS, 3))
        self._templates = np.stack([_enlarge(template, size) for template in coarse])

    def batch(self, samples: int) -> tuple[Array, NDArray[np.int32]]:
        """Images (samples, size, size, 3) float32 and labels (samples,) int32."""
        labels = self._random.integers(0, self._classes, samples).astype("int32")
        noise = self._random.normal(size=(samples, *self._templates.shape[1:]))
        images = np.clip(127.5 + 45.0 * self._templates[labels] + 30.0 * noise, 0.0, 255.0)
        return (images * self._factor + self._offset).astype("float32"), labels

    def batches(self, steps: int, samples: int) -> Iterator[tuple[Array, NDArray[np.int32]]]:
        """``steps`` fresh batches."""
        for _ in range(steps):
            yield self.batch(samples)


def _enlarge(coarse: NDArray[Any], size: int) -> NDArray[Any]:
    """Bilinear enlargement of a (cells, cells, channels) grid to (size, size, channels)."""
    position = np.linspace(0, coarse.shape[0] - 1, size)
    below = np.minimum(position.astype(int), coarse.shape[0] - 2)
    weight = (position - below)[:, None]
    matrix = np.zeros((size, coarse.shape[0]))
    matrix[np.arange(size), below] = 1 - weight[:, 0]
    matrix[np.arange(size), below + 1] += weight[:, 0]
    enlarged: NDArray[Any] = np.einsum("hi,wj,ijc->hwc", matrix, matrix, coarse)
    return enlarged

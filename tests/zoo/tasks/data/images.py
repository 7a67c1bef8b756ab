"""scikit-learn's handwritten digits and photographs, as images, masks, reconstructions and short films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sklearn.datasets
import tensorflow as tf

from tests.zoo.tasks.data.parts import Array, Part, RealData, split

CROP = 24
CROPS = 700
CANVAS = 16
FRAMES, SIDE = 6, 12
MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0))


def pixels() -> tuple[Array, Array]:
    """(1797, 8, 8, 1) in 0-1 and their (1797,) classes."""
    data = sklearn.datasets.load_digits()
    return (data.images[..., None] / 16).astype("float32"), data.target


def digits() -> RealData:
    """(8, 8, 1) in 0-1 -> 10 classes."""
    images, labels = pixels()
    return split((images,), (labels,))


def digits_raw() -> RealData:
    """(8, 8, 1) in 0-255 -> 10 classes."""
    images, labels = pixels()
    return split((255 * images,), (labels,))


def photographs() -> RealData:
    """(24, 24, 3) crops in 0-255 -> which of two photographs; those held out are of their right thirds."""
    rng = np.random.default_rng(0)
    folder = Path(sklearn.datasets.__file__).with_name("images")
    parts = []
    for share, count in ((0.0, CROPS), (2 / 3, CROPS // 2)):
        crops, labels = [], []
        for label, name in enumerate(("china.jpg", "flower.jpg")):
            photograph = tf.io.decode_jpeg((folder / name).read_bytes()).numpy()
            height, width, _ = photograph.shape
            first, last = (round(share * width), width) if share else (0, round(2 / 3 * width))
            for _ in range(count):
                top, left = int(rng.integers(0, height - CROP)), int(rng.integers(first, last - CROP))
                crops.append(photograph[top : top + CROP, left : left + CROP])
                labels.append(label)
        order = rng.permutation(len(labels))
        parts.append(Part((np.stack(crops).astype("float32")[order],), (np.array(labels)[order],)))
    return RealData(*parts)


def strokes() -> RealData:
    """(16, 16, 1): a digit at a random place in noise -> which pixels are its strokes, (16, 16, 1)."""
    rng = np.random.default_rng(0)
    images, _ = pixels()
    canvas = np.zeros((len(images), CANVAS, CANVAS, 1), np.float32)
    for number, image in enumerate(images):
        top, left = rng.integers(0, CANVAS - 7, 2)
        canvas[number, top : top + 8, left : left + 8] = image
    noisy = canvas + 0.25 * rng.standard_normal(canvas.shape)
    return split((noisy.astype("float32"),), ((canvas > 0.4).astype("float32"),))


def stroke_classes() -> RealData:
    """The same -> a class for each pixel, 1 on strokes, (16, 16)."""
    whole = strokes()
    return RealData(
        *(Part(part.inputs, (part.targets[0][..., 0].astype(int),)) for part in (whole.train, whole.held))
    )


def reconstruction() -> RealData:
    """(8, 8, 1) in 0-1 -> itself."""
    images, _ = pixels()
    return split((images,), (images,))


def flat_reconstruction() -> RealData:
    """(64,) in 0-1 -> itself."""
    images, _ = pixels()
    return split((images.reshape(-1, 64),), (images.reshape(-1, 64),))


def standardized_reconstruction() -> RealData:
    """(64,) of mean 0 and variance 1 over all pixels -> itself."""
    images, _ = pixels()
    flat = images.reshape(-1, 64)
    flat = (flat - flat.mean()) / flat.std()
    return split((flat,), (flat,))


def moving() -> RealData:
    """(6, 12, 12, 1): a digit that moves a pixel a frame -> right, left, down or up."""
    rng = np.random.default_rng(0)
    images, _ = pixels()
    films = np.zeros((len(images), FRAMES, SIDE, SIDE, 1), np.float32)
    directions = rng.integers(0, len(MOVES), len(images))
    for number, (image, direction) in enumerate(zip(images, directions, strict=True)):
        start = rng.integers(0, SIDE, 2)
        whole = np.zeros((SIDE, SIDE, 1), np.float32)
        whole[:8, :8] = image
        for frame in range(FRAMES):
            shift = start + frame * np.array(MOVES[direction])
            films[number, frame] = np.roll(whole, tuple(shift), axis=(0, 1))
    return split((films,), (directions,))

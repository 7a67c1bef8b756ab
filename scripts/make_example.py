"""Make the example of the upload page: a deep plain network that was trained in earnest and is stuck.

    python scripts/make_example.py app/web/static/examples/stuck-cnn.keras

Eighteen 3x3 convolutions of eight channels with Glorot's initialiser, ReLU and nothing between them:
each one halves the variance of what passes through it, so at the end nothing of the image is left.  The
script trains it on an easy task (five smooth colour patterns with noise), prints the losses, and refuses
to write a model that learned.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

CLASSES: Final = 5
SIDE: Final = 32
DEPTH: Final = 18
STEPS: Final = 150
BATCH: Final = 32
SEED: Final = 7


def build() -> keras.Model:
    """The network, compiled."""
    inputs = keras.Input((SIDE, SIDE, 3), name="image")
    x = inputs
    for index in range(DEPTH):
        x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name=f"conv{index + 1}")(x)
        if index in (5, 11):
            x = keras.layers.MaxPooling2D(name=f"pool{index // 6 + 1}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(16, activation="relu", name="hidden")(x)
    outputs = keras.layers.Dense(CLASSES, activation="softmax", name="predictions")(x)
    model = keras.Model(inputs, outputs, name="deep_plain_cnn")
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def batches(random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images of mean 0 and standard deviation 1, a smooth pattern for each class plus noise."""
    axis = np.linspace(0, math.pi, SIDE)
    waves = np.stack([np.outer(np.sin((k + 1) * axis), np.cos((CLASSES - k) * axis)) for k in range(CLASSES)])
    patterns = waves[..., None] * random.normal(size=(CLASSES, 1, 1, 3))
    labels = random.integers(0, CLASSES, STEPS * BATCH)
    images = patterns[labels] + 0.5 * random.normal(size=(len(labels), SIDE, SIDE, 3))
    images = (images - images.mean()) / images.std()
    return images.astype(np.float32), labels


def main() -> None:
    """Train, look at the losses, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path
    keras.utils.set_random_seed(SEED)
    model = build()
    images, labels = batches(np.random.default_rng(SEED))
    losses = [
        float(
            model.train_on_batch(images[at : at + BATCH], labels[at : at + BATCH], return_dict=True)["loss"]
        )
        for at in range(0, len(images), BATCH)
    ]
    final, chance = float(np.mean(losses[-20:])), math.log(CLASSES)
    sys.stdout.write(f"{STEPS} steps: loss {losses[0]:.3f} to {final:.3f}; chance is {chance:.3f}\n")
    if final < 0.95 * chance:
        raise SystemExit("The model learned; it is no example.")
    model.save(path)


if __name__ == "__main__":
    main()

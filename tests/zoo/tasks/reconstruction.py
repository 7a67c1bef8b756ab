"""Autoencoders, and segmentation of every pixel."""

from __future__ import annotations

from typing import Any, Final

import keras
from keras import layers

from tests.zoo.tasks.task_model import (
    YES_NO,
    Optimizer,
    TaskModel,
    adam,
    borderline,
    compiled,
    medium,
    sequential,
    sgd,
    strong,
)


def autoencoder(
    optimizer: Optimizer | None = None,
    *,
    widths: tuple[int, ...] = (48, 16, 48),
    activation: str = "relu",
    last: str | None = "sigmoid",
    loss: str = "mse",
) -> keras.Model:
    """Dense layers down to a code and up again."""
    body = [layers.Dense(units, activation) for units in widths]
    return compiled(sequential((64,), *body, layers.Dense(64, last)), loss, optimizer)


def convolutional(
    optimizer: Optimizer | None = None, *, activation: str = "relu", loss: str = YES_NO
) -> keras.Model:
    """Two strides down, two up."""
    body: list[Any] = [layers.Conv2D(size, 3, 2, "same", activation=activation) for size in (16, 8)]
    body += [layers.Conv2DTranspose(size, 3, 2, "same", activation=activation) for size in (8, 16)]
    output = layers.Conv2D(1, 3, padding="same", activation="sigmoid")
    return compiled(sequential((8, 8, 1), *body, output), loss, optimizer)


def unet(
    optimizer: Optimizer | None = None,
    *,
    activation: str = "relu",
    channels: int = 1,
    last: str | None = "sigmoid",
    loss: Any = YES_NO,
    skips: bool = True,
) -> keras.Model:
    """Two levels down and up."""
    inputs = x = keras.Input((16, 16, 1))
    kept = []
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", activation=activation)(x)
        kept.append(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(24, 3, padding="same", activation=activation)(x)
    for filters, skip in zip((16, 8), reversed(kept), strict=True):
        x = layers.UpSampling2D()(x)
        x = layers.Concatenate()([x, skip]) if skips else x
        x = layers.Conv2D(filters, 3, padding="same", activation=activation)(x)
    return compiled(keras.Model(inputs, layers.Conv2D(channels, 1, activation=last)(x)), loss, optimizer)


_FLAT: Final = ("reconstruction", "digits, flat, reconstructed")
_IMAGES: Final = ("reconstruction", "digits, reconstructed")
_STROKES: Final = ("segmentation", "strokes")

MODELS: Final = (
    TaskModel("autoencoder-dense", *_FLAT, lambda: autoencoder(adam(3e-3))),
    TaskModel("autoencoder-entropy", *_FLAT, lambda: autoencoder(adam(3e-3), widths=(32,), loss=YES_NO)),
    TaskModel("autoencoder-convolutional", *_IMAGES, lambda: convolutional(adam(5e-3))),
    TaskModel(
        "autoencoder-deep-sigmoid",
        *_FLAT,
        lambda: autoencoder(sgd(), widths=(48, 32, 16, 32, 48), activation="sigmoid"),
        strong("six sigmoids under SGD"),
    ),
    TaskModel(
        "autoencoder-one-unit",
        *_FLAT,
        lambda: autoencoder(adam(3e-3), widths=(48, 1, 48)),
        medium("a code of one number"),
    ),
    TaskModel(
        "autoencoder-wrong-range",
        "reconstruction",
        "digits, standardised, reconstructed",
        lambda: autoencoder(adam(3e-3)),
        medium("a sigmoid for standardised pixels", in_file=False),
    ),
    TaskModel(
        "autoencoder-rate-0.3", *_FLAT, lambda: autoencoder(adam(0.3)), strong("rate 100 times too high")
    ),
    TaskModel(
        "autoencoder-sgd",
        *_FLAT,
        lambda: autoencoder(sgd()),
        borderline("a squared error of pixels under plain SGD"),
    ),
    TaskModel("segmentation-unet", *_STROKES, unet),
    TaskModel(
        "segmentation-two-logits",
        "segmentation",
        "strokes, two classes",
        lambda: unet(
            channels=2, last=None, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        ),
    ),
    TaskModel(
        "segmentation-softmax", *_STROKES, lambda: unet(last="softmax"), strong("softmax over one channel")
    ),
    TaskModel("segmentation-rate-0.5", *_STROKES, lambda: unet(adam(0.5)), strong("rate 500 times too high")),
    TaskModel(
        "segmentation-sigmoid",
        *_STROKES,
        lambda: unet(sgd(), activation="sigmoid", skips=False),
        strong("five sigmoid layers without skips under SGD"),
    ),
    TaskModel(
        "segmentation-rate-0.03", *_STROKES, lambda: unet(adam(0.03)), borderline("rate 30 times too high")
    ),
    TaskModel("segmentation-sgd", *_STROKES, lambda: unet(sgd()), medium("a U-Net under plain SGD")),
)

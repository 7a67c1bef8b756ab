"""Classifiers of images and of short films."""

from __future__ import annotations

from typing import Any, Final

import keras
from keras import layers

from tests.zoo.tasks.task_model import (
    CROSS,
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

SHAPE: Final = (8, 8, 1)


def plain(
    optimizer: Optimizer | None = None,
    *before: Any,
    filters: tuple[int, ...] = (16, 32),
    units: int = 64,
    activation: str = "relu",
    initializer: Any = "glorot_uniform",
    last: str | None = "softmax",
    loss: Any = CROSS,
) -> keras.Model:
    """Convolutions, one pooling, a dense layer, ten classes."""
    body = [
        layers.Conv2D(size, 3, padding="same", activation=activation, kernel_initializer=initializer)
        for size in filters
    ]
    dense = layers.Dense(units, activation, kernel_initializer=initializer)
    model = sequential(
        SHAPE, *before, *body, layers.MaxPooling2D(), layers.Flatten(), dense, layers.Dense(10, last)
    )
    return compiled(model, loss, optimizer)


def normalized() -> keras.Model:
    """BatchNormalization, global pooling, SGD with momentum."""
    body: list[Any] = []
    for filters in (16, 32, 32):
        body += [layers.Conv2D(filters, 3, padding="same", use_bias=False), layers.BatchNormalization()]
        body += [layers.ReLU()]
    model = sequential(SHAPE, *body, layers.GlobalAveragePooling2D(), layers.Dense(10, "softmax"))
    return compiled(model, CROSS, sgd(0.05, 0.9))


def photographs(rescaling: float = 1 / 255, optimizer: Optimizer | None = None) -> keras.Model:
    """Scaled inside, two logits."""
    body: list[Any] = [layers.Rescaling(rescaling)]
    for filters in (16, 32):
        body += [layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D()]
    model = sequential((24, 24, 3), *body, layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(2))
    return compiled(model, keras.losses.SparseCategoricalCrossentropy(from_logits=True), optimizer)


def residual() -> keras.Model:
    """Two residual blocks behind a stem."""
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(16, 3, padding="same")(inputs)
    for _ in range(2):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Add()([x, layers.Conv2D(16, 3, padding="same")(y)])
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return compiled(
        keras.Model(inputs, layers.Dense(10, "softmax")(x)), "categorical_crossentropy", adam(3e-3)
    )


def frozen() -> keras.Model:
    """All but the last layer fixed at random."""
    model = plain()
    for layer in model.layers[:-1]:
        layer.trainable = False
    return compiled(model, CROSS)


def volumes(
    optimizer: Optimizer | None = None, *, activation: str = "relu", filters: tuple[int, ...] = (8, 16)
) -> keras.Model:
    """3-D convolutions over films."""
    body: list[Any] = [layers.Conv3D(size, 3, padding="same", activation=activation) for size in filters]
    body += [layers.MaxPooling3D((1, 2, 2)), layers.Conv3D(16, 3, activation=activation)]
    model = sequential((6, 12, 12, 1), *body, layers.GlobalAveragePooling3D(), layers.Dense(4, "softmax"))
    return compiled(model, CROSS, optimizer)


def recurrent_convolutions() -> keras.Model:
    """A convolutional LSTM over films."""
    body = [layers.ConvLSTM2D(8, 3, padding="same"), layers.Flatten()]
    model = sequential((6, 12, 12, 1), *body, layers.Dense(32, "relu"), layers.Dense(4, "softmax"))
    return compiled(model, CROSS, adam(3e-3))


_DIGITS: Final = ("image classes", "digits")
_FILMS: Final = ("volumes", "moving digits")

MODELS: Final = (
    TaskModel("image-plain", *_DIGITS, plain),
    TaskModel("image-normalized", *_DIGITS, normalized),
    TaskModel("image-residual", *_DIGITS, residual),
    TaskModel("image-photographs", "image classes", "photographs, 0-255", photographs, input_range="0-255"),
    TaskModel("image-tanh-sgd", *_DIGITS, lambda: plain(sgd(0.05, 0.9), activation="tanh")),
    TaskModel(
        "image-deep-sigmoid",
        *_DIGITS,
        lambda: plain(sgd(), filters=(16,) * 6, activation="sigmoid"),
        strong("seven sigmoid layers"),
    ),
    TaskModel("image-rate-1", *_DIGITS, lambda: plain(adam(1.0)), strong("rate 1000 times too high")),
    TaskModel("image-rate-0.02", *_DIGITS, lambda: plain(adam(0.02)), borderline("rate 20 times too high")),
    TaskModel("image-rate-1e-5", *_DIGITS, lambda: plain(adam(1e-5)), medium("rate 100 times too low")),
    TaskModel("image-rate-1e-8", *_DIGITS, lambda: plain(adam(1e-8)), strong("rate 100000 times too low")),
    TaskModel(
        "image-zero-kernels", *_DIGITS, lambda: plain(initializer="zeros"), strong("all hidden kernels zero")
    ),
    TaskModel(
        "image-double-softmax",
        *_DIGITS,
        lambda: plain(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
        borderline("softmax taken for logits"),
    ),
    TaskModel(
        "image-scaled-twice",
        *_DIGITS,
        lambda: plain(sgd(), layers.Rescaling(1 / 255)),
        medium("pixels divided by 255 before they are fed, too", in_file=False),
        input_range="0-1",
    ),
    TaskModel(
        "image-raw-pixels",
        "image classes",
        "digits, 0-255",
        lambda: plain(sgd(0.05, 0.9)),
        strong("pixels 0-255 unscaled", in_file=False),
        input_range="0-255",
    ),
    TaskModel(
        "image-relu-output",
        *_DIGITS,
        lambda: plain(last="relu"),
        medium("relu before a cross-entropy of probabilities"),
    ),
    TaskModel("image-frozen", *_DIGITS, frozen, borderline("all but the last layer frozen at random")),
    TaskModel("volumes-convolutions", *_FILMS, lambda: volumes(adam(3e-3))),
    TaskModel("volumes-convolutional-lstm", *_FILMS, recurrent_convolutions),
    TaskModel(
        "volumes-sigmoid",
        *_FILMS,
        lambda: volumes(sgd(), activation="sigmoid", filters=(8, 8, 8)),
        strong("four sigmoid layers under SGD"),
    ),
    TaskModel("volumes-rate-0.3", *_FILMS, lambda: volumes(adam(0.3)), strong("rate 300 times too high")),
    TaskModel(
        "volumes-rate-0.03", *_FILMS, lambda: volumes(adam(0.03)), borderline("rate 30 times too high")
    ),
)

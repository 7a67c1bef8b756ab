"""Several inputs, several outputs."""

from __future__ import annotations

from typing import Any, Final

import keras
from keras import layers, ops

from tests.zoo.tasks.task_model import (
    CROSS,
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

IMAGE: Final = (8, 8, 1)


def tower(*, activation: str = "relu", initializer: Any = "glorot_uniform", units: int = 32) -> keras.Model:
    """An image to a row of numbers."""
    return sequential(
        IMAGE,
        layers.Conv2D(16, 3, padding="same", activation=activation, kernel_initializer=initializer),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(units, activation, kernel_initializer=initializer),
    )


def image_and_row(
    optimizer: Optimizer | None = None, *, initializer: Any = "glorot_uniform", scale: float | None = None
) -> keras.Model:
    """A digit and three numbers, joined."""
    image, row = keras.Input(IMAGE), keras.Input((3,))
    numbers = layers.Rescaling(scale)(row) if scale else row
    joined = layers.Concatenate()([tower(initializer=initializer)(image), numbers])
    outputs = layers.Dense(1, "sigmoid")(layers.Dense(32, "relu")(joined))
    return compiled(keras.Model([image, row], outputs), YES_NO, optimizer)


def siamese(optimizer: Optimizer | None = None, *, activation: str = "relu") -> keras.Model:
    """Two digits through one tower, the absolute difference judged."""
    left, right = keras.Input(IMAGE), keras.Input(IMAGE)
    shared = tower(activation=activation)
    distance = ops.absolute(shared(left) - shared(right))
    return compiled(keras.Model([left, right], layers.Dense(1, "sigmoid")(distance)), YES_NO, optimizer)


def two_heads(
    second: str | None,
    second_loss: str,
    optimizer: Optimizer | None = None,
    *,
    weights: tuple[float, float] | None = None,
) -> keras.Model:
    """A digit to its class and to one number more."""
    image = keras.Input(IMAGE)
    common = tower(units=48)(image)
    outputs = [layers.Dense(10, "softmax")(common), layers.Dense(1, second)(common)]
    settings = {"loss_weights": list(weights)} if weights else {}
    return compiled(keras.Model(image, outputs), [CROSS, second_loss], optimizer, **settings)


_ROW: Final = ("several inputs", "digit over a number")
_PAIRS: Final = ("several inputs", "pairs of digits")
_PARITY: Final = ("several outputs", "digit and parity")
_INK: Final = ("several outputs", "digit and ink")

MODELS: Final = (
    TaskModel("inputs-image-and-row", *_ROW, lambda: image_and_row(adam(3e-3))),
    TaskModel("inputs-siamese", *_PAIRS, lambda: siamese(adam(3e-3))),
    TaskModel(
        "inputs-scaled-row",
        *_ROW,
        lambda: image_and_row(sgd(), scale=1000.0),
        strong("one input times 1000"),
    ),
    TaskModel(
        "inputs-dead-image",
        *_ROW,
        lambda: image_and_row(adam(3e-3), initializer="zeros"),
        medium("the image's branch starts from zeros"),
    ),
    TaskModel(
        "inputs-siamese-rate-0.5", *_PAIRS, lambda: siamese(adam(0.5)), strong("rate 200 times too high")
    ),
    TaskModel(
        "inputs-siamese-sigmoid",
        *_PAIRS,
        lambda: siamese(sgd(), activation="sigmoid"),
        borderline("sigmoids under plain SGD"),
    ),
    TaskModel("outputs-parity", *_PARITY, lambda: two_heads("sigmoid", YES_NO)),
    TaskModel("outputs-ink", *_INK, lambda: two_heads(None, "mse", weights=(1.0, 0.5))),
    TaskModel(
        "outputs-softmax", *_PARITY, lambda: two_heads("softmax", YES_NO), strong("softmax over one unit")
    ),
    TaskModel(
        "outputs-zero-weight",
        *_INK,
        lambda: two_heads(None, "mse", weights=(0.0, 1.0)),
        strong("a loss weight of 0 at the classes"),
    ),
    TaskModel(
        "outputs-heavy-weight",
        *_INK,
        lambda: two_heads(None, "mse", sgd(), weights=(1.0, 1000.0)),
        strong("a loss weight of 1000 under SGD"),
    ),
    TaskModel(
        "outputs-light-weight",
        *_INK,
        lambda: two_heads(None, "mse", sgd(0.05, 0.9), weights=(0.01, 1.0)),
        borderline("a loss weight of 0.01 at the classes"),
    ),
)

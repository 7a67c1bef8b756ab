"""Small compiled models, one for each form that a graph can have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import keras
from keras import layers, ops


def _compiled(model: keras.Model) -> keras.Model:
    model.compile(
        optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def straight() -> keras.Model:
    """A functional chain with a high dropout rate."""
    inputs = keras.Input((12, 12, 3), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(6, (3, 1), padding="same", activation="tanh", name="conv2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(8, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4), name="fc1")(x)
    x = layers.Dropout(0.6, name="drop")(x)
    outputs = layers.Dense(3, activation="softmax", name="predictions")(x)
    return _compiled(keras.Model(inputs, outputs, name="straight"))


def sequential() -> keras.Model:
    """A Sequential with activations and a normalisation of its own."""
    return _compiled(
        keras.Sequential(
            [
                keras.Input((12, 12, 1)),
                layers.Conv2D(4, 3, name="a"),
                layers.BatchNormalization(name="b"),
                layers.ReLU(name="c"),
                layers.Conv2D(4, 3, name="d"),
                layers.Activation("relu", name="e"),
                layers.GlobalAveragePooling2D(name="f"),
                layers.Dense(3, activation="softmax", name="g"),
            ],
            name="chain",
        )
    )


def branching() -> keras.Model:
    """Residual, with a concatenation, arithmetic on tensors and a second output."""
    inputs = keras.Input((12, 12, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", name="stem")(inputs)
    x = layers.ReLU(6.0, name="stem_relu")(x)
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="left")(x)
    z = layers.Conv2D(4, 1, activation="relu", kernel_initializer="he_normal", name="right")(x)
    x = layers.Add(name="join")([x, y])
    x = layers.Concatenate(name="side_by_side")([x, z])
    x = ops.multiply(x, 0.5) + 1.0
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    first = layers.Dense(3, activation="softmax", name="label")(x)
    second = layers.Dense(1, activation="sigmoid", name="flag")(x)
    model = keras.Model(inputs, [first, second], name="branching")
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3, clipnorm=1.0),
        loss=["sparse_categorical_crossentropy", keras.losses.BinaryCrossentropy(label_smoothing=0.1)],
        loss_weights=[1.0, 0.5],
    )
    return model


def nested() -> keras.Model:
    """A Sequential and a functional model inside, the latter called twice."""
    inner = keras.Input((5, 5, 4))
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(inner)
    body = keras.Model(inner, layers.Add(name="add")([inner, y]), name="body")
    inputs = keras.Input((12, 12, 3))
    head = keras.Sequential(
        [keras.Input((12, 12, 3)), layers.Conv2D(4, 3, strides=2, activation="relu", name="conv")],
        name="head",
    )
    x = body(body(head(inputs)))
    x = layers.Flatten(name="flat")(x)
    return _compiled(keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x), name="outer"))


def shared() -> keras.Model:
    """Two image inputs through the same layers."""
    left, right = keras.Input((10, 10, 1), name="left"), keras.Input((10, 10, 1), name="right")
    conv = layers.Conv2D(4, 3, activation="relu", name="conv")
    dense = layers.Dense(5, activation="relu", name="dense")
    flat = layers.Flatten(name="flat")
    x = layers.Subtract(name="difference")([dense(flat(conv(left))), dense(flat(conv(right)))])
    return _compiled(
        keras.Model([left, right], layers.Dense(3, activation="softmax", name="out")(x), name="twins")
    )


def augmented() -> keras.Model:
    """Augmentation in a nested Sequential, then scaled pixels; a frozen convolution."""
    inputs = keras.Input((12, 12, 3), batch_size=None, name="pixels")
    augmentation = keras.Sequential(
        [layers.RandomFlip("horizontal", name="flip"), layers.RandomRotation(0.05, name="turn")],
        name="augmentation",
    )
    x = augmentation(inputs)
    x = layers.Rescaling(1 / 255, name="scale")(x)
    x = layers.Conv2D(4, 3, activation="relu", trainable=False, name="frozen")(x)
    x = layers.Conv2D(4, 3, activation="relu", name="free")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return _compiled(
        keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x), name="augmented")
    )


MODELS: Final[dict[str, Callable[[], keras.Model]]] = {
    make.__name__: make for make in (straight, sequential, branching, nested, shared, augmented)
}

"""Healthy networks drawn at random: of the families that textbooks build, in the sizes and settings they build them.

No network is picked by hand, so none of them can have been in mind when a rule was written.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import keras
from keras import layers

Tensor: TypeAlias = Any
Draw: TypeAlias = random.Random

ACTIVATIONS: Final = ("relu", "relu", "elu", "gelu", "swish", "tanh")
"""ReLU twice: it is what most networks have."""


def _initializer(activation: str) -> str:
    """What fits the activation (He et al. 2015; Glorot & Bengio 2010)."""
    return "glorot_uniform" if activation == "tanh" else "he_normal"


def _optimizer(draw: Draw) -> keras.optimizers.Optimizer:
    """Settings from the usual ranges; each with the rates that its authors or Keras start from."""
    return draw.choice(
        (
            lambda: keras.optimizers.Adam(draw.choice((1e-3, 5e-4, 3e-4))),
            lambda: keras.optimizers.AdamW(draw.choice((1e-3, 3e-4)), weight_decay=1e-4),
            lambda: keras.optimizers.RMSprop(draw.choice((1e-3, 3e-4))),
            lambda: keras.optimizers.Nadam(5e-4),
            lambda: keras.optimizers.SGD(draw.choice((0.01, 0.02)), momentum=0.9),
        )
    )()


def _scores(draw: Draw, x: Tensor) -> tuple[Tensor, Any]:
    """A head for classes with the loss that belongs to it."""
    kind = draw.choice(("softmax", "logits", "binary", "labels"))
    if kind == "binary":
        return layers.Dense(1, "sigmoid")(x), "binary_crossentropy"
    if kind == "labels":
        return layers.Dense(draw.randint(3, 8), "sigmoid")(x), "binary_crossentropy"
    classes = draw.choice((2, 3, 5, 10, 20))
    if kind == "logits":
        return layers.Dense(classes)(x), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    name = draw.choice(("sparse_categorical_crossentropy", "categorical_crossentropy"))
    return layers.Dense(classes, "softmax")(x), name


def _numbers(draw: Draw, x: Tensor) -> tuple[Tensor, Any]:
    """A head for numbers."""
    return layers.Dense(draw.choice((1, 1, 3)))(x), draw.choice(("mse", "mae", keras.losses.Huber()))


def _hidden(draw: Draw, x: Tensor, widths: list[int]) -> Tensor:
    """Dense layers, with dropout or normalisation as it falls."""
    activation, normalized = draw.choice(ACTIVATIONS), draw.random() < 0.3
    dropout = draw.choice((0.0, 0.0, 0.2, 0.5))
    for width in widths:
        x = layers.Dense(width, kernel_initializer=_initializer(activation))(x)
        x = layers.BatchNormalization()(x) if normalized else x
        x = layers.Activation(activation)(x)
        x = layers.Dropout(dropout)(x) if dropout else x
    return x


def table(draw: Draw) -> keras.Model:
    """A multilayer perceptron on features."""
    inputs = keras.Input((draw.randint(4, 60),))
    widths = sorted((draw.choice((32, 64, 128, 256)) for _ in range(draw.randint(1, 4))), reverse=True)
    head = draw.choice((_scores, _numbers))
    return _compiled(draw, inputs, *head(draw, _hidden(draw, inputs, widths)))


def _image(draw: Draw) -> tuple[Tensor, Tensor]:
    """An input of images, and what the first layer sees: with or without preprocessing in the graph."""
    side = draw.choice((28, 32, 48, 64))
    inputs = keras.Input((side, side, draw.choice((1, 3, 3))))
    return inputs, layers.Rescaling(1 / 127.5, -1)(inputs) if draw.random() < 0.4 else inputs


def convolutional(draw: Draw) -> keras.Model:
    """Blocks of convolutions and pooling, then a head."""
    inputs, x = _image(draw)
    activation, normalized = draw.choice(ACTIVATIONS[:5]), draw.random() < 0.5
    filters, deep = draw.choice((16, 32)), draw.choice((1, 1, 2))
    for _ in range(draw.randint(2, 4)):
        for _ in range(deep):
            x = layers.Conv2D(
                filters, 3, padding="same", use_bias=not normalized, kernel_initializer=_initializer(activation)
            )(x)  # fmt: skip
            x = layers.BatchNormalization()(x) if normalized else x
            x = layers.Activation(activation)(x)
        x, filters = layers.MaxPooling2D()(x), min(2 * filters, 128)
    if draw.random() < 0.5:
        x = layers.GlobalAveragePooling2D()(x)
    else:
        x = _hidden(draw, layers.Flatten()(x), [draw.choice((64, 128))])
    return _compiled(draw, inputs, *_scores(draw, x))


def residual(draw: Draw) -> keras.Model:
    """Residual blocks with normalisation (He et al. 2016)."""
    inputs, x = _image(draw)
    filters = draw.choice((16, 32))
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    for stage in range(draw.randint(2, 3)):
        for block in range(draw.randint(1, 2)):
            stride = 2 if stage and not block else 1
            y = layers.Activation("relu")(layers.BatchNormalization()(x))
            short = (
                layers.Conv2D(filters, 1, strides=stride)(y) if stride == 2 or y.shape[-1] != filters else x
            )
            y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(y)
            y = layers.Activation("relu")(layers.BatchNormalization()(y))
            x = layers.Add()([short, layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)])
        filters *= 2
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    return _compiled(draw, inputs, *_scores(draw, layers.GlobalAveragePooling2D()(x)))


def separable(draw: Draw) -> keras.Model:
    """Depthwise separable convolutions (Howard et al. 2017)."""
    inputs, x = _image(draw)
    filters = draw.choice((16, 32))
    x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
    for _ in range(draw.randint(2, 4)):
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        filters = min(2 * filters, 128)
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(layers.BatchNormalization()(x)))
    return _compiled(draw, inputs, *_scores(draw, x))


def series(draw: Draw) -> keras.Model:
    """Recurrent layers or convolutions over time."""
    inputs = keras.Input((draw.choice((16, 24, 48)), draw.randint(1, 8)))
    x = inputs
    if draw.random() < 0.5:
        deep, layer = draw.choice((1, 1, 2)), draw.choice((layers.LSTM, layers.GRU))
        both = draw.random() < 0.3
        for number in range(deep):
            one = layer(draw.choice((16, 32, 64)), return_sequences=number < deep - 1)
            x = layers.Bidirectional(one)(x) if both else one(x)
    else:
        for _ in range(draw.randint(1, 3)):
            x = layers.Conv1D(draw.choice((32, 64)), 3, padding="same", activation="relu")(x)
        x = layers.GlobalAveragePooling1D()(x)
    head = draw.choice((_scores, _numbers))
    return _compiled(draw, inputs, *head(draw, x))


def text(draw: Draw) -> keras.Model:
    """Token ids through an embedding."""
    inputs = keras.Input((draw.choice((20, 50, 100)),), dtype="int32")
    x = layers.Embedding(draw.choice((500, 2000, 10_000)), draw.choice((16, 32, 64)))(inputs)
    body = draw.choice(("mean", "recurrent", "convolution"))
    if body == "mean":
        x = layers.Dense(32, "relu")(layers.GlobalAveragePooling1D()(x))
    elif body == "recurrent":
        x = layers.Bidirectional(layers.LSTM(draw.choice((16, 32))))(x)
    else:
        x = layers.GlobalMaxPooling1D()(layers.Conv1D(64, 5, activation="relu")(x))
    x = layers.Dropout(0.3)(x) if draw.random() < 0.5 else x
    return _compiled(draw, inputs, *_scores(draw, x))


def segmentation(draw: Draw) -> keras.Model:
    """A small U-Net (Ronneberger et al. 2015)."""
    inputs, x = _image(draw)
    filters, skips = draw.choice((8, 16)), []

    def block(x: Tensor, filters: int) -> Tensor:
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal")(x)
            x = layers.Activation("relu")(layers.BatchNormalization()(x))
        return x

    for _ in range(2):
        skips.append(block(x, filters))
        x, filters = layers.MaxPooling2D()(skips[-1]), 2 * filters
    x = block(x, filters)
    for skip in reversed(skips):
        filters //= 2
        x = layers.Concatenate()([layers.Conv2DTranspose(filters, 2, strides=2)(x), skip])
        x = block(x, filters)
    if draw.random() < 0.5:
        return _compiled(draw, inputs, layers.Conv2D(1, 1, activation="sigmoid")(x), "binary_crossentropy")
    classes = draw.choice((3, 4))
    outputs = layers.Conv2D(classes, 1, activation="softmax")(x)
    return _compiled(draw, inputs, outputs, "sparse_categorical_crossentropy")


def autoencoder(draw: Draw) -> keras.Model:
    """A dense or convolutional autoencoder."""
    if draw.random() < 0.5:
        width, code = draw.randint(16, 64), draw.choice((4, 8, 16))
        inputs = keras.Input((width,))
        x = layers.Dense(code, "relu")(layers.Dense(64, "relu")(inputs))
        return _compiled(draw, inputs, layers.Dense(width)(layers.Dense(64, "relu")(x)), "mse")
    side, channels = draw.choice((28, 32)), draw.choice((1, 3))
    inputs = keras.Input((side, side, channels))
    x = inputs
    for filters in (32, 16):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    for filters in (16, 32):
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(x)
    outputs = layers.Conv2D(channels, 3, padding="same", activation="sigmoid")(x)
    return _compiled(draw, inputs, outputs, draw.choice(("mse", "binary_crossentropy")))


def attention(draw: Draw) -> keras.Model:
    """A small pre-norm transformer over tokens (Xiong et al. 2020: it needs no warm-up)."""
    length, width = draw.choice((16, 32)), draw.choice((32, 64))
    inputs = keras.Input((length,), dtype="int32")
    x = layers.Embedding(1000, width)(inputs)
    for _ in range(draw.randint(1, 2)):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, width // 4)(y, y)])
        y = layers.Dense(2 * width, "gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(width)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return _compiled(draw, inputs, *_scores(draw, x))


FAMILIES: Final[dict[str, Callable[[Draw], keras.Model]]] = {
    build.__name__: build
    for build in (
        table, convolutional, residual, separable, series, text, segmentation, autoencoder, attention,
    )
}  # fmt: skip
"""Name -> a model of the family, compiled."""


def _compiled(draw: Draw, inputs: Tensor, outputs: Tensor, loss: Any) -> keras.Model:
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=_optimizer(draw), loss=loss)
    return model


def drawn(family: str, number: int) -> keras.Model:
    """The ``number``-th network of a family: always the same one, weights too."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(number)
    return FAMILIES[family](random.Random(f"{family} {number}"))  # noqa: S311 - nothing secret

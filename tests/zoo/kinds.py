"""Healthy models of the kinds that are in use beside image classifiers: one small one of each.

They are built as tutorials and papers build them, with settings that are known to train, and are read
without weights: rules must have nothing loud to say about any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import keras
from keras import layers, ops

Tensor = Any


@dataclass(frozen=True)
class Kind:
    """How to build a model, and what to compile it with."""

    build: Callable[[], keras.Model]
    loss: Any
    optimizer: Callable[[], keras.optimizers.Optimizer] = lambda: keras.optimizers.Adam(1e-3)


def _model(inputs: Tensor, outputs: Tensor) -> keras.Model:
    return keras.Model(inputs, outputs)


def logistic_regression() -> keras.Model:
    return keras.Sequential([keras.Input((30,)), layers.Dense(1, activation="sigmoid")])


def table_regression() -> keras.Model:
    body = [layers.Normalization(), layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(1)]
    return keras.Sequential([keras.Input((9,)), *body])


def table_categories() -> keras.Model:
    """Numbers, and categories through embeddings; wide and deep."""
    numbers, shop = keras.Input((6,)), keras.Input((1,), dtype="int32")
    code = layers.Flatten()(layers.Embedding(50, 8)(shop))
    deep = layers.Dense(32, "relu")(layers.Concatenate()([layers.BatchNormalization()(numbers), code]))
    wide = layers.CategoryEncoding(50, output_mode="one_hot")(shop)
    joined = layers.Concatenate()([layers.Dropout(0.3)(deep), wide])
    return _model([numbers, shop], layers.Dense(1, "sigmoid")(joined))


def self_normalizing() -> keras.Model:
    body: list[layers.Layer] = []
    for _ in range(4):
        body += [layers.Dense(64, "selu", kernel_initializer="lecun_normal"), layers.AlphaDropout(0.1)]
    return keras.Sequential([keras.Input((40,)), *body, layers.Dense(5, "softmax")])


def recommender() -> keras.Model:
    """Matrix factorisation with biases."""
    user, item = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
    product = layers.Dot(1)([layers.Embedding(500, 16)(user), layers.Embedding(900, 16)(item)])
    total = layers.Add()([product, layers.Embedding(500, 1)(user), layers.Embedding(900, 1)(item)])
    return _model([user, item], layers.Activation("sigmoid")(total))


def digits() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            *(layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D()),
            *(layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D()),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, "softmax"),
        ]
    )


def augmented() -> keras.Model:
    inputs = keras.Input((64, 64, 3))
    x = layers.RandomRotation(0.1)(layers.RandomFlip("horizontal")(inputs))
    x = layers.Rescaling(1 / 127.5, offset=-1)(layers.RandomBrightness(0.2)(x))
    for filters in (32, 64, 128):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D()(layers.Activation("relu")(layers.BatchNormalization()(x)))
    return _model(inputs, layers.Dense(5)(layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))))


def fine_tuned() -> keras.Model:
    """A frozen backbone with a head."""
    base = keras.applications.MobileNetV2((96, 96, 3), weights=None, include_top=False, pooling="avg")
    base.trainable = False
    inputs = keras.Input((96, 96, 3))
    x = base(layers.Rescaling(1 / 127.5, offset=-1)(inputs))
    return _model(inputs, layers.Dense(1, "sigmoid")(layers.Dropout(0.2)(x)))


def autoencoder() -> keras.Model:
    inputs = x = keras.Input((28, 28, 1))
    for filters in (32, 16):
        x = layers.MaxPooling2D(padding="same")(
            layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
        )
    for filters in (16, 32):
        x = layers.Conv2DTranspose(filters, 3, strides=2, activation="relu", padding="same")(x)
    return _model(inputs, layers.Conv2D(1, 3, activation="sigmoid", padding="same")(x))


def dense_autoencoder() -> keras.Model:
    body = [layers.Dense(32, "relu"), layers.Dense(784, "sigmoid")]
    return keras.Sequential([keras.Input((784,)), *body])


def anomaly_autoencoder() -> keras.Model:
    """A tight code, as anomaly detection wants it."""
    body = [
        layers.Dense(16, "relu"),
        layers.Dense(8, "relu"),
        layers.Dense(16, "relu"),
        layers.Dense(140, "sigmoid"),
    ]
    return keras.Sequential([keras.Input((140,)), *body])


def generator() -> keras.Model:
    """DCGAN."""
    normal = keras.initializers.RandomNormal(0.0, 0.02)
    inputs = keras.Input((100,))
    x = layers.Dense(7 * 7 * 256, use_bias=False, kernel_initializer=normal)(inputs)
    x = layers.Reshape((7, 7, 256))(layers.LeakyReLU(0.2)(layers.BatchNormalization()(x)))
    for filters, strides in ((128, 1), (64, 2)):
        x = layers.Conv2DTranspose(filters, 5, strides, "same", use_bias=False, kernel_initializer=normal)(x)
        x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x))
    return _model(inputs, layers.Conv2DTranspose(1, 5, 2, "same", activation="tanh")(x))


def discriminator() -> keras.Model:
    body: list[layers.Layer] = []
    for filters in (64, 128):
        body += [
            layers.Conv2D(filters, 5, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Dropout(0.3),
        ]
    return keras.Sequential([keras.Input((28, 28, 1)), *body, layers.Flatten(), layers.Dense(1)])


def unet() -> keras.Model:
    inputs = x = keras.Input((128, 128, 3))
    x, skips = layers.Rescaling(1 / 255)(x), []
    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
        skips.append(x)
        x = layers.Dropout(0.1)(layers.MaxPooling2D()(x))
    for filters, skip in zip((64, 32, 16), reversed(skips), strict=True):
        x = layers.Concatenate()([layers.UpSampling2D()(x), skip])
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    return _model(inputs, layers.Conv2D(3, 1, activation="softmax")(x))


def super_resolution() -> keras.Model:
    """ESPCN, inputs of open size."""
    inputs = x = keras.Input((None, None, 1))
    for filters, size in ((64, 5), (64, 3), (32, 3), (9, 3)):
        x = layers.Conv2D(filters, size, padding="same", activation="relu", kernel_initializer="orthogonal")(
            x
        )
    return _model(inputs, layers.Conv2DTranspose(1, 3, strides=3, padding="same")(x))


def siamese() -> keras.Model:
    left, right = keras.Input((64, 64, 1)), keras.Input((64, 64, 1))
    tower = keras.Sequential(
        [
            keras.Input((64, 64, 1)),
            layers.BatchNormalization(),
            *(layers.Conv2D(8, 5, activation="tanh"), layers.AveragePooling2D(2)),
            *(layers.Conv2D(16, 5, activation="tanh"), layers.AveragePooling2D(2)),
            *(layers.Flatten(), layers.BatchNormalization(), layers.Dense(10, "tanh")),
        ]
    )
    distance = ops.sqrt(ops.sum(ops.square(tower(left) - tower(right)), axis=1, keepdims=True))
    return _model([left, right], layers.Dense(1, "sigmoid")(layers.BatchNormalization()(distance)))


def volumes() -> keras.Model:
    inputs = x = keras.Input((32, 32, 16, 1))
    for filters in (16, 32):
        x = layers.Conv3D(filters, 3, activation="relu")(x)
        x = layers.BatchNormalization()(layers.MaxPooling3D(2)(x))
    x = layers.Dense(64, "relu")(layers.GlobalAveragePooling3D()(x))
    return _model(inputs, layers.Dense(1, "sigmoid")(layers.Dropout(0.3)(x)))


def sentiment() -> keras.Model:
    inputs = keras.Input((None,), dtype="int32")
    x = layers.Embedding(20000, 64, mask_zero=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(32, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(32))(x)
    return _model(inputs, layers.Dense(1, "sigmoid")(x))


def text_convolutions() -> keras.Model:
    inputs = keras.Input((200,), dtype="int32")
    x = layers.Dropout(0.5)(layers.Embedding(20000, 64)(inputs))
    x = layers.Conv1D(64, 7, padding="valid", activation="relu", strides=3)(x)
    x = layers.GlobalMaxPooling1D()(layers.Conv1D(64, 7, activation="relu", strides=3)(x))
    x = layers.Dropout(0.5)(layers.Dense(64, "relu")(x))
    return _model(inputs, layers.Dense(1, "sigmoid")(x))


def language_model() -> keras.Model:
    """Next-word prediction at every step."""
    inputs = keras.Input((60,), dtype="int32")
    x = layers.LSTM(128, return_sequences=True)(layers.Embedding(10000, 100)(inputs))
    return _model(inputs, layers.Dense(10000, "softmax")(x))


def tagger() -> keras.Model:
    inputs = keras.Input((50,), dtype="int32")
    x = layers.Embedding(5000, 50, mask_zero=True)(inputs)
    x = layers.Bidirectional(layers.GRU(64, return_sequences=True))(layers.SpatialDropout1D(0.2)(x))
    return _model(inputs, layers.TimeDistributed(layers.Dense(17, "softmax"))(x))


def translator() -> keras.Model:
    """Sequence to sequence with teacher forcing."""
    source, target = keras.Input((None, 71)), keras.Input((None, 93))
    _, hidden, cell = layers.LSTM(128, return_state=True)(source)
    x, *_ = layers.LSTM(128, return_sequences=True, return_state=True)(target, initial_state=[hidden, cell])
    return _model([source, target], layers.Dense(93, "softmax")(x))


def _attended(x: Tensor, heads: int, size: int) -> Tensor:
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    x = layers.Add()([x, layers.MultiHeadAttention(heads, size // heads, dropout=0.1)(y, y)])
    y = layers.Dense(2 * size, "gelu")(layers.LayerNormalization(epsilon=1e-6)(x))
    return layers.Add()([x, layers.Dense(size)(layers.Dropout(0.1)(y))])


def text_transformer() -> keras.Model:
    inputs = keras.Input((100,), dtype="int32")
    x = layers.Embedding(20000, 64)(inputs)
    for _ in range(2):
        x = _attended(x, 4, 64)
    x = layers.Dense(32, "relu")(layers.GlobalAveragePooling1D()(x))
    return _model(inputs, layers.Dense(2, "softmax")(layers.Dropout(0.1)(x)))


def vision_transformer() -> keras.Model:
    inputs = keras.Input((72, 72, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Reshape((144, 64))(layers.Conv2D(64, 6, strides=6)(x))
    for _ in range(4):
        x = _attended(x, 4, 64)
    x = layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(x))
    return _model(inputs, layers.Dense(100)(layers.Dropout(0.5)(layers.Dense(256, "gelu")(x))))


def mixer() -> keras.Model:
    inputs = keras.Input((64, 64, 3))
    x = layers.Reshape((64, 96))(layers.Conv2D(96, 8, strides=8)(layers.Rescaling(1 / 255)(inputs)))
    for _ in range(4):
        y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        y = layers.Dense(64)(layers.Dense(128, "gelu")(y))
        x = layers.Add()([x, layers.Permute((2, 1))(y)])
        y = layers.Dense(96)(layers.Dense(192, "gelu")(layers.LayerNormalization()(x)))
        x = layers.Add()([x, y])
    return _model(inputs, layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(x)))


def series_forecast() -> keras.Model:
    return keras.Sequential([keras.Input((120, 7)), layers.LSTM(32), layers.Dense(1)])


def series_classes() -> keras.Model:
    inputs = x = keras.Input((500, 1))
    for _ in range(3):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv1D(64, 3, padding="same")(x)))
    return _model(inputs, layers.Dense(4, "softmax")(layers.GlobalAveragePooling1D()(x)))


def short_memory() -> keras.Model:
    return keras.Sequential([keras.Input((20, 1)), layers.SimpleRNN(32), layers.Dense(1)])


def causal_convolutions() -> keras.Model:
    """WaveNet's gates and skips."""
    inputs = keras.Input((256, 1))
    x, skips = layers.Conv1D(32, 1)(inputs), []
    for dilation in (1, 2, 4, 8):
        gate = layers.Conv1D(32, 2, padding="causal", dilation_rate=dilation, activation="sigmoid")(x)
        signal = layers.Conv1D(32, 2, padding="causal", dilation_rate=dilation, activation="tanh")(x)
        skip = layers.Conv1D(32, 1)(layers.Multiply()([gate, signal]))
        skips.append(skip)
        x = layers.Add()([x, skip])
    x = layers.Conv1D(32, 1, activation="relu")(layers.ReLU()(layers.Add()(skips)))
    return _model(inputs, layers.Conv1D(256, 1, activation="softmax")(x))


def next_frame() -> keras.Model:
    inputs = x = keras.Input((10, 64, 64, 1))
    for _ in range(2):
        x = layers.ConvLSTM2D(16, 3, padding="same", return_sequences=True, activation="relu")(x)
        x = layers.BatchNormalization()(x)
    return _model(inputs, layers.Conv3D(1, 3, activation="sigmoid", padding="same")(x))


def text_in_images() -> keras.Model:
    """Convolutions, then recurrent layers over the columns, a label at each (CTC)."""
    inputs = keras.Input((200, 50, 1))
    x = layers.Rescaling(1 / 255)(inputs)
    for filters in (32, 64):
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, padding="same", activation="relu")(x))
    x = layers.Dense(64, "relu")(layers.Reshape((50, 12 * 64))(x))
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True, dropout=0.25))(x)
    return _model(inputs, layers.Dense(21, "softmax")(x))


def captions() -> keras.Model:
    features, words = keras.Input((1280,)), keras.Input((34,), dtype="int32")
    seen = layers.Dense(128, "relu")(layers.Dropout(0.5)(features))
    said = layers.LSTM(128)(layers.Dropout(0.5)(layers.Embedding(8000, 128, mask_zero=True)(words)))
    return _model(
        [features, words],
        layers.Dense(8000, "softmax")(layers.Dense(128, "relu")(layers.Add()([seen, said]))),
    )


def value_function() -> keras.Model:
    """Deep Q-learning on frames, as the paper has it."""
    inputs = keras.Input((84, 84, 4))
    x = layers.Rescaling(1 / 255)(inputs)
    for filters, size, stride in ((32, 8, 4), (64, 4, 2), (64, 3, 1)):
        x = layers.Conv2D(filters, size, strides=stride, activation="relu")(x)
    return _model(inputs, layers.Dense(6)(layers.Dense(512, "relu")(layers.Flatten()(x))))


def actor_critic() -> keras.Model:
    inputs = keras.Input((4,))
    common = layers.Dense(128, "relu")(inputs)
    return _model(inputs, [layers.Dense(2, "softmax")(common), layers.Dense(1)(common)])


def experts() -> keras.Model:
    """A mixture whose gate is a softmax."""
    inputs = keras.Input((20,))
    gate = layers.Reshape((4, 1))(layers.Dense(4, "softmax")(inputs))
    experts = layers.Reshape((4, 16))(layers.Dense(64, "relu")(inputs))
    mixed = ops.sum(layers.Multiply()([gate, experts]), axis=1)
    return _model(inputs, layers.Dense(3, "softmax")(mixed))


def highway() -> keras.Model:
    inputs = x = keras.Input((50,))
    for _ in range(4):
        gate = layers.Dense(50, "sigmoid", bias_initializer=keras.initializers.Constant(-2.0))(x)
        changed = layers.Multiply()([gate, layers.Dense(50, "relu")(x)])
        x = layers.Add()([changed, layers.Multiply()([1.0 - gate, x])])
    return _model(inputs, layers.Dense(10, "softmax")(x))


def squeeze_excitation() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    for filters in (16, 32):
        x = layers.ReLU()(
            layers.BatchNormalization()(layers.Conv2D(filters, 3, strides=2, padding="same")(x))
        )
        y = layers.Dense(4, "relu")(layers.GlobalAveragePooling2D()(x))
        x = layers.Multiply()([x, layers.Reshape((1, 1, filters))(layers.Dense(filters, "sigmoid")(y))])
    return _model(inputs, layers.Dense(10, "softmax")(layers.GlobalMaxPooling2D()(x)))


def signals() -> keras.Model:
    """EEGNet: electrodes by time, depthwise over the electrodes."""
    inputs = keras.Input((64, 128, 1))
    x = layers.BatchNormalization()(layers.Conv2D(8, (1, 64), padding="same", use_bias=False)(inputs))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D((64, 1), use_bias=False, depth_multiplier=2)(x))
    x = layers.Dropout(0.5)(layers.AveragePooling2D((1, 4))(layers.Activation("elu")(x)))
    x = layers.BatchNormalization()(layers.SeparableConv2D(16, (1, 16), use_bias=False, padding="same")(x))
    x = layers.Dropout(0.5)(layers.AveragePooling2D((1, 8))(layers.Activation("elu")(x)))
    return _model(inputs, layers.Softmax()(layers.Dense(4)(layers.Flatten()(x))))


_CROSS = "sparse_categorical_crossentropy"
_LOGITS: Final = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
_YES_NO = "binary_crossentropy"

KINDS: Final[dict[str, Kind]] = {
    "logistic-regression": Kind(logistic_regression, _YES_NO, lambda: keras.optimizers.SGD(0.01)),
    "table-regression": Kind(table_regression, "mae"),
    "table-categories": Kind(table_categories, _YES_NO),
    "self-normalizing": Kind(self_normalizing, _CROSS, lambda: keras.optimizers.SGD(0.01, momentum=0.9)),
    "recommender": Kind(recommender, _YES_NO),
    "digits": Kind(digits, "categorical_crossentropy"),
    "augmented": Kind(augmented, _LOGITS),
    "fine-tuned": Kind(fine_tuned, _YES_NO, lambda: keras.optimizers.RMSprop(1e-4)),
    "autoencoder": Kind(autoencoder, _YES_NO),
    "dense-autoencoder": Kind(dense_autoencoder, "mse"),
    "anomaly-autoencoder": Kind(anomaly_autoencoder, "mae"),
    "generator": Kind(generator, None, lambda: keras.optimizers.Adam(2e-4, beta_1=0.5)),
    "discriminator": Kind(
        discriminator,
        keras.losses.BinaryCrossentropy(from_logits=True),
        lambda: keras.optimizers.Adam(2e-4, beta_1=0.5),
    ),
    "unet": Kind(unet, _CROSS),
    "super-resolution": Kind(super_resolution, "mse"),
    "siamese": Kind(siamese, _YES_NO),
    "volumes": Kind(volumes, _YES_NO, lambda: keras.optimizers.Adam(1e-4)),
    "sentiment": Kind(sentiment, _YES_NO),
    "text-convolutions": Kind(text_convolutions, _YES_NO),
    "language-model": Kind(language_model, _CROSS),
    "tagger": Kind(tagger, _CROSS),
    "translator": Kind(translator, "categorical_crossentropy", lambda: keras.optimizers.RMSprop(1e-3)),
    "text-transformer": Kind(text_transformer, _CROSS),
    "vision-transformer": Kind(vision_transformer, _LOGITS, lambda: keras.optimizers.AdamW(1e-3, weight_decay=1e-4)),
    "mixer": Kind(mixer, _CROSS),
    "series-forecast": Kind(series_forecast, "mse"),
    "series-classes": Kind(series_classes, _CROSS),
    "short-memory": Kind(short_memory, "mse"),
    "causal-convolutions": Kind(causal_convolutions, _CROSS),
    "next-frame": Kind(next_frame, _YES_NO),
    "text-in-images": Kind(text_in_images, None),
    "captions": Kind(captions, _CROSS),
    "value-function": Kind(value_function, "huber", lambda: keras.optimizers.Adam(2.5e-4, clipnorm=1.0)),
    "actor-critic": Kind(actor_critic, None, lambda: keras.optimizers.Adam(0.01)),
    "experts": Kind(experts, _CROSS),
    "highway": Kind(highway, _CROSS),
    "squeeze-excitation": Kind(squeeze_excitation, _CROSS, lambda: keras.optimizers.SGD(0.05, momentum=0.9)),
    "signals": Kind(signals, _CROSS),
}  # fmt: skip
"""Name -> kind."""

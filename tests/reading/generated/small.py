"""Small models, written once for tf_keras and Keras 3: a builder takes either as its argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

Build = Callable[[Any], Any]


def _chain(keras: Any, shape: tuple[int | None, ...], *layers: Any, dtype: str = "float32") -> Any:
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def dense(keras: Any) -> Any:
    """Every way to write an activation, initialisers, regularisers and constraints that are objects."""
    kl = keras.layers
    return _chain(
        keras, (6,),
        kl.Dense(9, activation="relu", kernel_regularizer=keras.regularizers.l1_l2(0.1, 0.2)),
        kl.Dense(8, activation=kl.LeakyReLU(), bias_constraint=keras.constraints.MaxNorm(2)),
        kl.Dense(8, activation="gelu", kernel_initializer=keras.initializers.TruncatedNormal(0, 0.3)),
        kl.Dense(8, activation="swish", kernel_initializer=keras.initializers.VarianceScaling(2.0)),
        kl.Dense(8, activation="hard_sigmoid", use_bias=False),
        kl.ActivityRegularization(l2=0.1), kl.GaussianNoise(0.1), kl.Dropout(0.2),
        kl.Dense(3, activation="softmax", name="head"),
    )  # fmt: skip


def activations(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((5,))
    named = (
        "elu",
        "selu",
        "softplus",
        "softsign",
        "tanh",
        "hard_sigmoid",
        "exponential",
        "relu",
        "sigmoid",
        "linear",
    )
    parts = [kl.Activation(name)(kl.Dense(4)(source)) for name in named]
    parts += [
        layer(kl.Dense(4)(source))
        for layer in (kl.ReLU(6.0, 0.1, 0.2), kl.ELU(0.7), kl.PReLU(), kl.Softmax(), kl.LeakyReLU())
    ]
    return keras.Model(source, kl.Concatenate()(parts))


def convolutions(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (24, 20, 3),
        kl.Conv2D(8, 3, padding="same", activation="relu"), kl.BatchNormalization(scale=False),
        kl.DepthwiseConv2D(3, depth_multiplier=2, strides=2), kl.SeparableConv2D(8, 3, padding="same"),
        kl.Conv2D(8, (3, 1), groups=4, dilation_rate=2), kl.PReLU(shared_axes=[1, 2]),
        kl.Conv2DTranspose(6, 4, strides=2, padding="same"), kl.LayerNormalization(axis=[2, 3]),
        kl.MaxPooling2D(), kl.AveragePooling2D(3, 1, padding="same"), kl.SpatialDropout2D(0.1),
        kl.UpSampling2D(2, interpolation="bilinear"), kl.ZeroPadding2D(((1, 0), (2, 1))), kl.Cropping2D(1),
        kl.GlobalAveragePooling2D(), kl.Dense(4),
    )  # fmt: skip


def one_dimensional(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (30, 3),
        kl.Conv1D(8, 3, padding="causal", dilation_rate=2, activation="relu"), kl.BatchNormalization(),
        kl.SeparableConv1D(8, 3), kl.DepthwiseConv1D(3), kl.Conv1DTranspose(6, 3, strides=2),
        kl.MaxPooling1D(2), kl.AveragePooling1D(2), kl.UpSampling1D(2), kl.ZeroPadding1D(1), kl.Cropping1D(1),
        kl.SpatialDropout1D(0.1), kl.GlobalMaxPooling1D(), kl.Dense(2),
    )  # fmt: skip


def volumes(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (8, 8, 8, 2),
        kl.Conv3D(4, 3, padding="same", activation="relu"), kl.BatchNormalization(), kl.MaxPooling3D(),
        kl.Conv3DTranspose(4, 2, strides=2), kl.AveragePooling3D(2), kl.UpSampling3D(), kl.ZeroPadding3D(),
        kl.Cropping3D(1), kl.SpatialDropout3D(0.1), kl.GlobalAveragePooling3D(), kl.Dense(2),
    )  # fmt: skip


def recurrent(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (11, 4),
        kl.LSTM(6, return_sequences=True, recurrent_activation="hard_sigmoid"),
        kl.GRU(6, return_sequences=True, dropout=0.1), kl.GRU(6, return_sequences=True, reset_after=False),
        kl.SimpleRNN(6, return_sequences=True), kl.LSTM(5, go_backwards=True, use_bias=False), kl.Dense(2),
    )  # fmt: skip


def cells(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (9, 4),
        kl.RNN(kl.LSTMCell(5), return_sequences=True), kl.RNN(kl.GRUCell(5), return_sequences=True),
        kl.RNN(kl.SimpleRNNCell(4)), kl.Dense(2),
    )  # fmt: skip


def stacked_cells(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (9, 4),
        kl.RNN([kl.LSTMCell(5), kl.LSTMCell(4), kl.GRUCell(3)], return_sequences=True),
        kl.RNN(kl.StackedRNNCells([kl.SimpleRNNCell(4), kl.SimpleRNNCell(3)]), go_backwards=True), kl.Dense(2),
    )  # fmt: skip


def bidirectional(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (11, 4),
        kl.Bidirectional(kl.LSTM(5, return_sequences=True)),
        kl.Bidirectional(kl.GRU(5, return_sequences=True), merge_mode="sum"),
        kl.Bidirectional(
            kl.LSTM(3, return_sequences=True), backward_layer=kl.LSTM(3, return_sequences=True, go_backwards=True)
        ),
        kl.Bidirectional(kl.SimpleRNN(4)), kl.Dense(2),
    )  # fmt: skip


def masked_text(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (12,), kl.Embedding(20, 6, mask_zero=True), kl.Bidirectional(kl.LSTM(5, return_sequences=True)),
        kl.Dropout(0.1), kl.LSTM(4), kl.Dense(3, activation="softmax"), dtype="int32",
    )  # fmt: skip


def masked_functional(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((12,), dtype="int32")
    x = kl.Embedding(20, 6, mask_zero=True)(source)
    x = kl.GRU(5, return_sequences=True)(x)
    x = kl.TimeDistributed(kl.Dense(4))(x)
    return keras.Model(source, kl.LSTM(4)(x))


def masked_series(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((10, 3))
    x = kl.Masking(-1.0)(source)
    x = kl.LSTM(5, return_sequences=True)(x)
    return keras.Model(source, kl.Dense(2)(kl.GRU(4)(x)))


def masked_pooling(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((10,), dtype="int32")
    x = kl.Embedding(15, 6, mask_zero=True)(source)
    return keras.Model(source, kl.Dense(2)(kl.GlobalAveragePooling1D()(x)))


def sequence_to_sequence(keras: Any) -> Any:
    kl = keras.layers
    source, target = keras.Input((8,), dtype="int32", name="a"), keras.Input((6,), dtype="int32", name="b")
    _, h, c = kl.LSTM(5, return_state=True)(kl.Embedding(12, 4)(source))
    x = kl.LSTM(5, return_sequences=True)(kl.Embedding(12, 4)(target), initial_state=[h, c])
    return keras.Model([source, target], kl.TimeDistributed(kl.Dense(12, activation="softmax"))(x))


def masked_sequence_to_sequence(keras: Any) -> Any:
    kl = keras.layers
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embed = kl.Embedding(12, 4, mask_zero=True)
    _, h, c = kl.LSTM(5, return_state=True)(embed(source))
    x = kl.LSTM(5, return_sequences=True)(embed(target), initial_state=[h, c])
    return keras.Model([source, target], kl.Dense(12, activation="softmax")(x))


def attention(keras: Any) -> Any:
    kl = keras.layers
    query, value = keras.Input((6, 8)), keras.Input((7, 8))
    x = kl.Attention(use_scale=True)([query, value])
    y = kl.AdditiveAttention()([query, value])
    return keras.Model([query, value], kl.Dense(3)(kl.Concatenate()([x, y])))


def transformer(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((10,), dtype="int32")
    x = kl.Embedding(20, 8)(source)
    for _ in range(2):
        y = kl.MultiHeadAttention(2, 4, value_dim=3, dropout=0.1)(x, x)
        x = kl.LayerNormalization(epsilon=1e-6)(x + y)
        y = kl.Dense(8)(kl.Dense(16, activation="gelu")(x))
        x = kl.LayerNormalization()(kl.Add()([x, y]))
    return keras.Model(source, kl.Dense(2)(kl.GlobalAveragePooling1D()(x)))


def cross_attention(keras: Any) -> Any:
    kl = keras.layers
    first, second = keras.Input((6, 8)), keras.Input((7, 5))
    x = kl.MultiHeadAttention(2, 3, output_shape=4)(first, second, use_causal_mask=False)
    y = kl.MultiHeadAttention(2, 3, use_bias=False)(query=first, value=second, key=second)
    return keras.Model([first, second], kl.Concatenate()([x, y]))


def masked_transformer(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((10,), dtype="int32")
    x = kl.Embedding(20, 8, mask_zero=True)(source)
    x = kl.LayerNormalization()(x + kl.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(source, kl.Dense(2)(kl.GlobalAveragePooling1D()(x)))


def u_net(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((None, None, 3))
    skips, x = [], source
    for filters in (4, 8):
        x = kl.Conv2D(filters, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = kl.MaxPooling2D()(x)
    for filters, skip in zip((8, 4), reversed(skips), strict=True):
        x = kl.Conv2DTranspose(filters, 2, strides=2)(x)
        x = kl.Conv2D(filters, 3, padding="same", activation="relu")(kl.concatenate([x, skip]))
    return keras.Model(source, kl.Conv2D(1, 1, activation="sigmoid")(x))


def several_outputs(keras: Any) -> Any:
    kl = keras.layers
    first, second = keras.Input((5,), name="first"), keras.Input((4,), name="second")
    x = kl.Multiply()([kl.Dense(6)(first), kl.Dense(6)(second)])
    y = kl.Average()([x, kl.Maximum()([x, kl.Minimum()([x, kl.Subtract()([x, kl.Dense(6)(x)])])])])
    dot = kl.Dot(axes=1, normalize=True)([x, y])
    return keras.Model([first, second], [kl.Dense(2, name="label")(y), kl.Dense(1, name="score")(x), dot])


def shared_tower(keras: Any) -> Any:
    kl = keras.layers
    tower = keras.Sequential([keras.Input((6,)), kl.Dense(5, activation="relu"), kl.Dense(4)], name="tower")
    first, second = keras.Input((6,)), keras.Input((6,))
    return keras.Model([first, second], kl.Dense(1)(kl.Subtract()([tower(first), tower(second)])))


def nested_twice(keras: Any) -> Any:
    kl = keras.layers
    entry = keras.Input((6,))
    inner = keras.Model(entry, kl.BatchNormalization()(kl.Dense(6, activation="tanh")(entry)), name="inner")
    middle_in = keras.Input((6,))
    middle = keras.Model(middle_in, [inner(middle_in), inner(inner(middle_in))], name="middle")
    source = keras.Input((6,))
    one, two = middle(source)
    three, _ = middle(two)
    return keras.Model(source, kl.Dense(2)(kl.Add()([one, two, three])))


def nested_sequential(keras: Any) -> Any:
    kl = keras.layers
    base = keras.Sequential([keras.Input((8, 8, 3)), kl.Conv2D(4, 3), kl.BatchNormalization()], name="base")
    head = keras.Sequential([kl.Flatten(), kl.Dense(3)], name="head")
    return keras.Sequential([keras.Input((8, 8, 3)), base, head])


def frozen_base(keras: Any) -> Any:
    kl = keras.layers
    entry = keras.Input((8, 8, 3))
    base = keras.Model(entry, kl.GlobalAveragePooling2D()(kl.BatchNormalization()(kl.Conv2D(4, 3)(entry))))
    base.trainable = False
    source = keras.Input((8, 8, 3))
    return keras.Model(source, kl.Dense(2)(base(source, training=False)))


def time_distributed(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((4, 8, 8, 2))
    x = kl.TimeDistributed(kl.Conv2D(3, 3, activation="relu"))(source)
    x = kl.TimeDistributed(kl.BatchNormalization())(x)
    x = kl.TimeDistributed(kl.GlobalAveragePooling2D())(x)
    return keras.Model(source, kl.Dense(2)(kl.LSTM(4)(x)))


def time_distributed_model(keras: Any) -> Any:
    kl = keras.layers
    base = keras.Sequential(
        [keras.Input((8, 8, 2)), kl.Conv2D(3, 3, activation="relu"), kl.GlobalMaxPooling2D()]
    )
    source = keras.Input((4, 8, 8, 2))
    return keras.Model(source, kl.Dense(2)(kl.GRU(4)(kl.TimeDistributed(base)(source))))


def conv_lstm(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (4, 8, 8, 2), kl.ConvLSTM2D(3, 3, padding="same", return_sequences=True), kl.BatchNormalization(),
        kl.ConvLSTM2D(3, 3), kl.Flatten(), kl.Dense(2),
    )  # fmt: skip


def conv_lstm_1d(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (4, 9, 2), kl.ConvLSTM1D(3, 3, padding="same", return_sequences=True),
        kl.ConvLSTM1D(2, 3, recurrent_activation="hard_sigmoid"), kl.Flatten(), kl.Dense(2),
    )  # fmt: skip


def bidirectional_conv_lstm(keras: Any) -> Any:
    kl = keras.layers
    return _chain(keras, (4, 8, 8, 2), kl.Bidirectional(kl.ConvLSTM2D(3, 3)), kl.Flatten(), kl.Dense(2))


def mixed_precision(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((12, 12, 3))
    x = kl.Conv2D(4, 3, activation="relu", dtype="mixed_bfloat16")(source)
    x = kl.BatchNormalization(dtype="mixed_bfloat16")(x)
    x = kl.GlobalAveragePooling2D(dtype="float32")(x)
    return keras.Model(source, kl.Dense(3, dtype="float32")(x))


def spectral(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (8, 8, 3), kl.SpectralNormalization(kl.Conv2D(4, 3, activation="relu")), kl.Flatten(),
        kl.SpectralNormalization(kl.Dense(2), power_iterations=2),
    )  # fmt: skip


def categories(keras: Any) -> Any:
    kl = keras.layers
    words, number = keras.Input((3,), dtype="int32"), keras.Input((1,))
    many = kl.CategoryEncoding(num_tokens=10, output_mode="multi_hot")(words)
    bins = kl.Discretization(bin_boundaries=[-0.5, 0.0, 0.5], output_mode="one_hot")(number)
    return keras.Model([words, number], kl.Dense(2)(kl.Concatenate()([many, bins])))


def preprocessing(keras: Any) -> Any:
    kl = keras.layers
    augment = keras.Sequential(
        [kl.RandomFlip("horizontal"), kl.RandomRotation(0.1), kl.RandomZoom(0.1), kl.RandomContrast(0.1),
         kl.RandomTranslation(0.1, 0.1)],
        name="augment",
    )  # fmt: skip
    source = keras.Input((20, 20, 3))
    x = kl.Rescaling(1 / 127.5, -1)(kl.CenterCrop(12, 14)(kl.Resizing(16, 16)(augment(source))))
    return keras.Model(source, kl.Dense(2)(kl.Flatten()(kl.Conv2D(3, 3)(x))))


def undone_augmentations(keras: Any) -> Any:
    """Augmentations that are read as what they are at inference."""
    kl = keras.layers
    names = ("RandomHeight", "RandomWidth", "RandAugment", "AugMix", "RandomColorJitter")
    arguments: dict[str, Any] = {"RandomHeight": {"factor": 0.2}, "RandomWidth": {"factor": 0.2},
                                 "RandomColorJitter": {"brightness_factor": 0.1}}  # fmt: skip
    source = x = keras.Input((12, 12, 3))
    for name in names:
        if hasattr(kl, name):
            x = getattr(kl, name)(**arguments.get(name, {}))(x)
    return keras.Model(source, kl.Dense(2)(kl.GlobalAveragePooling2D()(kl.Conv2D(3, 3)(x))))


def normalization(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((5,))
    learnt = kl.Normalization()
    learnt.adapt(np.array(_NUMBERS))
    given = kl.Normalization(mean=[1.0, 2.0, 3.0, 4.0, 5.0], variance=[1.0, 2.0, 1.0, 2.0, 1.0])
    return keras.Model(source, kl.Dense(2)(kl.Concatenate()([learnt(source), given(source)])))


_NUMBERS: Final = [[0.0, 1.0, 2.0, 3.0, 4.0], [2.0, 5.0, 1.0, 3.5, -4.0], [1.0, 7.0, 3.0, 2.0, 1.0]]


def normalizations(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (6, 6, 8), kl.GroupNormalization(4), kl.GroupNormalization(-1, scale=False), kl.UnitNormalization(),
        kl.BatchNormalization(axis=1), kl.LayerNormalization(center=False), kl.Flatten(), kl.Dense(2),
    )  # fmt: skip


def reshapes(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((12,))
    x = kl.Permute((2, 1))(kl.Reshape((3, -1))(source))
    x = kl.Dense(4)(kl.Flatten()(x))
    return keras.Model(source, kl.RepeatVector(3)(x))


def arithmetic(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((6,))
    x = kl.Dense(6)(source)
    y = (2.0 * x - 1.0) / 3.0 + x * x - source
    z = -y + abs(x) + 1.0 / (1.0 + x**2)
    return keras.Model(source, kl.Dense(2)(z[:, 1:5] * x[:, ::2][:, :1]))


def einsum(keras: Any) -> Any:
    kl = keras.layers
    return _chain(keras, (5, 6), kl.EinsumDense("abc,cd->abd", output_shape=(None, 4), bias_axes="d"))


def channels_first(keras: Any) -> Any:
    kl = keras.layers
    return _chain(
        keras, (3, 10, 12), kl.Permute((2, 3, 1)), kl.Conv2D(4, 3), kl.Permute((3, 1, 2)),
        kl.GlobalAveragePooling2D(data_format="channels_first"), kl.Dense(2),
    )  # fmt: skip


def fixed_batch(keras: Any) -> Any:
    kl = keras.layers
    source = (
        keras.Input(batch_shape=(2, 7, 3))
        if hasattr(keras, "KerasTensor")
        else kl.Input(batch_shape=(2, 7, 3))
    )
    return keras.Model(source, kl.Dense(2)(kl.LSTM(4, stateful=True)(source)))


def slashes(keras: Any) -> Any:
    kl = keras.layers
    mark = "/" if keras.__name__.startswith("tf_keras") else "_"  # Keras 3 refuses it
    source = keras.Input((6,), name="source")
    x = kl.Dense(4, name=f"block{mark}one")(source)
    x = kl.Add(name=f"block{mark}add")([x, kl.Dense(4, name="block_one_")(x)])
    return keras.Model(source, kl.Dense(2, name=f"block{mark}head{mark}out")(x))


def states_out(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((7, 3))
    x, h, c = kl.LSTM(4, return_state=True, return_sequences=True)(source)
    y, forward, backward = kl.Bidirectional(kl.GRU(3, return_state=True))(x)
    return keras.Model(source, [kl.Dense(2)(y), kl.Add()([forward, backward]), h, c])


def embedding_dot(keras: Any) -> Any:
    kl = keras.layers
    user, item = keras.Input((1,), name="user"), keras.Input((1,), name="item")
    first = kl.Flatten()(kl.Embedding(10, 4, name="users")(user))
    second = kl.Flatten()(kl.Embedding(12, 4, name="items")(item))
    return keras.Model([user, item], kl.Dense(1)(kl.concatenate([first, second, kl.Dot(1)([first, second])])))


def residual(keras: Any) -> Any:
    kl = keras.layers
    source = keras.Input((16, 16, 3))
    x = kl.Conv2D(8, 3, padding="same")(source)
    for _ in range(2):
        y = kl.ReLU()(kl.BatchNormalization()(x))
        y = kl.Conv2D(8, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(y)
        gate = kl.Dense(8, activation="sigmoid")(kl.GlobalAveragePooling2D(keepdims=True)(y))
        x = kl.add([x, kl.multiply([y, gate])])
    return keras.Model(source, kl.Dense(2)(kl.GlobalMaxPooling2D()(x)))


def autoencoder(keras: Any) -> Any:
    kl = keras.layers
    encoder = keras.Sequential([keras.Input((10,)), kl.Dense(4, "relu"), kl.Dense(2)], name="encoder")
    decoder = keras.Sequential(
        [keras.Input((2,)), kl.Dense(4, "relu"), kl.Dense(10, "sigmoid")], name="decoder"
    )
    source = keras.Input((10,))
    return keras.Model(source, decoder(encoder(source)))


def dictionary_inputs(keras: Any) -> Any:
    kl = keras.layers
    sources = {"b": keras.Input((3,), name="b"), "a": keras.Input((4,), name="a")}
    return keras.Model(sources, kl.Dense(2)(kl.Concatenate()([sources["b"], sources["a"]])))


def doubled(keras: Any) -> Any:
    kl = keras.layers
    return _chain(keras, (5,), kl.Dense(4, dtype="float64"), kl.Dense(2, dtype="float64"))


def time_distributed_graph(keras: Any) -> Any:
    """A functional model with a residual, at every step of a sequence."""
    kl = keras.layers
    entry = keras.Input((6, 6, 2))
    x = kl.Conv2D(3, 3, padding="same", activation="relu")(entry)
    x = kl.Add()([x, kl.BatchNormalization()(kl.Conv2D(3, 3, padding="same")(x))])
    x = kl.Concatenate(axis=3)([x, kl.Conv2D(2, 1)(x)])
    base = keras.Model(entry, kl.Flatten()(x))
    source = keras.Input((4, 6, 6, 2))
    return keras.Model(source, kl.Dense(2)(kl.GRU(4)(kl.TimeDistributed(base)(source))))


def operations(keras: Any) -> Any:
    """Operations of Keras 3 beyond the operators."""
    kl, ops = keras.layers, keras.ops
    source = keras.Input((6, 8))
    x = ops.transpose(ops.reshape(kl.Dense(8)(source), (-1, 6, 2, 4)), (0, 2, 1, 3))
    scores = ops.softmax(ops.matmul(x, ops.transpose(x, (0, 1, 3, 2))) / 2.0, axis=-1)
    x = ops.squeeze(ops.mean(ops.matmul(scores, x), axis=1, keepdims=True), axis=1)
    x = ops.where(ops.greater(x, 0.0), ops.log1p(ops.abs(x)), ops.sin(x)) + ops.gelu(x)
    x = ops.concatenate([ops.leaky_relu(x), ops.elu(x), ops.clip(x, -0.1, 0.1), ops.flip(x, 1)], axis=-1)
    x = ops.stack([ops.std(x, axis=1), ops.logsumexp(x, axis=1), ops.max(x, axis=1)], axis=1)
    return keras.Model(source, kl.Dense(2)(ops.log_softmax(ops.tile(x, (1, 1, 2)))))


def array_operations(keras: Any) -> Any:
    """Operations of Keras 3 that join, split, choose and multiply."""
    kl, ops = keras.layers, keras.ops
    source = keras.Input((6, 8))
    x = kl.Dense(8)(source)
    first, second = ops.split(x, 2, axis=-1)
    x = ops.concatenate([ops.einsum("bij,bkj->bik", first, second), ops.take(x, [0, 2], axis=-1)], axis=-1)
    x = ops.pad(ops.moveaxis(x, 1, 2), [[0, 0], [1, 1], [0, 0]])
    values, _ = ops.top_k(ops.diff(x, axis=1), 3)
    mean, variance = ops.moments(ops.repeat(values, 2, axis=1), axes=[1], keepdims=True)
    x = ops.norm(values - mean, axis=-1) + ops.squeeze(ops.sort(variance)[:, :, :1], axis=-1)
    x = ops.matmul(ops.expand_dims(x, 1), ops.expand_dims(x, 2)) + ops.quantile(
        values, 0.5, axis=(1, 2), keepdims=True
    )
    return keras.Model(source, kl.Dense(2)(ops.swapaxes(ops.concatenate([x, x], axis=1), 1, 2)))


def image_operations(keras: Any) -> Any:
    """Operations of Keras 3 on images."""
    kl, ops = keras.layers, keras.ops
    source = keras.Input((8, 8, 3))
    x = ops.image.resize(source, (6, 6))
    y = kl.Dense(3)(ops.image.extract_patches(x, 2))
    x = ops.max_pool(x, 2, padding="same") + y + ops.depth_to_space(ops.space_to_depth(y, 3), 3)
    x = ops.image.rgb_to_grayscale(x) + ops.average_pool(x, 3, 1, "same")
    return keras.Model(source, kl.Dense(2)(kl.Flatten()(x)))


def tensorflow_operations(keras: Any) -> Any:
    """The same, as TensorFlow functions in a model of tf.keras 2."""
    import tensorflow as tf  # noqa: PLC0415 - for this model alone

    kl = keras.layers
    source = keras.Input((6, 8))
    x = tf.transpose(tf.reshape(kl.Dense(8)(source), (-1, 6, 2, 4)), (0, 2, 1, 3))
    scores = tf.nn.softmax(tf.matmul(x, tf.transpose(x, (0, 1, 3, 2))) / 2.0)
    x = tf.squeeze(tf.reduce_mean(tf.matmul(scores, x), axis=1, keepdims=True), axis=1)
    x = tf.where(tf.greater(x, 0.0), tf.math.log1p(tf.abs(x)), tf.sin(x)) + tf.nn.gelu(x)
    x = tf.concat([tf.nn.leaky_relu(x), tf.nn.elu(x), tf.clip_by_value(x, -0.1, 0.1), tf.reverse(x, [1])], -1)
    x = tf.stack([tf.math.reduce_std(x, 1), tf.reduce_logsumexp(x, 1), tf.reduce_max(x, axis=1)], axis=1)
    return keras.Model(source, kl.Dense(2)(tf.nn.log_softmax(tf.tile(x, (1, 1, 2)))))


def tensorflow_arrays(keras: Any) -> Any:
    """TensorFlow functions that join, split, choose and multiply."""
    import tensorflow as tf  # noqa: PLC0415 - for this model alone

    kl = keras.layers
    source = keras.Input((6, 8))
    first, second = tf.split(kl.Dense(8)(source), [3, 5], axis=-1)
    x = tf.concat([tf.matmul(first, first, transpose_b=True), tf.gather(second, [0, 2], axis=-1)], axis=-1)
    x = tf.math.l2_normalize(tf.pad(x, [[0, 0], [1, 1], [0, 0]]), axis=-1) + tf.norm(
        x, axis=[1, 2], keepdims=True
    )
    values, _ = tf.math.top_k(tf.cumsum(x, axis=1), 3)
    x = tf.add_n(
        [values, tf.roll(values, 1, axis=1), tf.repeat(tf.reduce_max(values, -1, keepdims=True), 3, axis=-1)]
    )
    y = tf.unstack(x, axis=1)
    z = tf.one_hot(tf.argmax(y[0], axis=-1), 3) + tf.stop_gradient(y[1]) * tf.zeros_like(y[2])
    return keras.Model(source, kl.Dense(2)(tf.concat([y[2], z], axis=-1)))


def tensorflow_images(keras: Any) -> Any:
    """TensorFlow functions on images."""
    import tensorflow as tf  # noqa: PLC0415 - for this model alone

    kl = keras.layers
    source = keras.Input((8, 8, 3))
    x = tf.image.resize(source, (6, 6)) + tf.image.resize(source, [6, 6], method="nearest")
    x = tf.nn.depth_to_space(kl.Conv2D(8, 3)(tf.nn.max_pool2d(x, 2, 1, "SAME")), 2)
    x = tf.nn.avg_pool2d(tf.nn.space_to_depth(x, 2), 2, 2, "VALID")
    return keras.Model(source, kl.Dense(2)(kl.Flatten()(x)))


def tensorflow_sizes(keras: Any) -> Any:
    """Sizes that the graph takes from its tensors."""
    import tensorflow as tf  # noqa: PLC0415 - for this model alone

    kl = keras.layers
    source = keras.Input((6, 8))
    x = tf.reshape(kl.Dense(8)(source), (tf.shape(source)[0], tf.shape(source)[1], 2, 4))
    x = tf.transpose(x, (0, 2, 1, 3))
    sizes = tf.shape(x)
    x = tf.reshape(x, [-1, sizes[1] * sizes[2], sizes[3]])
    y = tf.broadcast_to(x[:, : tf.shape(x)[1] // 12], tf.shape(x)) + tf.tile(x[:, :1], [1, tf.shape(x)[1], 1])
    z = tf.reshape(y, tf.concat([tf.shape(y)[:-1], [2, 2]], axis=0))
    z = tf.reshape(z, tf.stack([tf.shape(z)[0], 12, 4]))
    image = tf.image.resize(z[..., tf.newaxis], tf.shape(x[..., tf.newaxis])[1:3] // 2)
    return keras.Model(
        source, kl.Dense(2)(tf.math.squared_difference(kl.GlobalAveragePooling2D()(image), 0.5))
    )


def tensorflow_matrices(keras: Any) -> Any:
    """TensorFlow functions on matrices, and constants before tensors."""
    import tensorflow as tf  # noqa: PLC0415 - for this model alone

    kl = keras.layers
    source = keras.Input((6, 6))
    x = tf.constant([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) * kl.Dense(6)(source) + tf.eye(6)
    lower, upper = tf.linalg.band_part(x, -1, 0), tf.linalg.band_part(x, 1, -1)
    y = tf.math.squared_difference(tf.linalg.matrix_transpose(lower), upper)
    y = (
        tf.sort(y, axis=-1)
        + tf.cast(tf.argsort(x, axis=1), "float32") / 9.0
        + tf.math.scalar_mul(2.0, x) // 0.5
    )
    numbers = [
        tf.linalg.trace(y),
        tf.linalg.det(x),
        tf.linalg.diag_part(tf.linalg.inv(x + 9.0 * tf.eye(6)))[:, 0],
    ]
    z = tf.stack(numbers, axis=-1) + tf.cast(tf.math.count_nonzero(x > 0.0, axis=(1, 2)), "float32")[:, None]
    parts = tf.split(tf.math.cumprod(tf.ensure_shape(y, (None, 6, 6)), axis=1), [2, -1], axis=1)
    x = tf.slice(parts[1], [0, 1, 0], [-1, 2, 3]) + tf.strided_slice(y, [0, 1, 0], [4, 3, 3])
    x = tf.math.erfc(tf.math.rint(x)) + tf.debugging.check_numerics(x, "numbers")
    flat = kl.Reshape((6,))(keras.backend.batch_flatten(x))
    return keras.Model(source, kl.Dense(2)(tf.concat([flat, z], axis=-1)))


def tensorflow_pictures(keras: Any) -> Any:
    """TensorFlow functions that turn, cut and colour images."""
    import tensorflow as tf  # noqa: PLC0415 - for this model alone

    kl, image = keras.layers, tf.image
    source = keras.Input((8, 8, 3))
    x = image.adjust_brightness(image.flip_left_right(source), 0.2) + image.rot90(
        image.flip_up_down(source), 3
    )
    x = image.hsv_to_rgb(image.rgb_to_hsv(tf.sigmoid(x))) + image.grayscale_to_rgb(x[..., :1])
    x = image.pad_to_bounding_box(image.crop_to_bounding_box(x, 1, 2, 4, 5), 2, 1, 8, 8)
    x = tf.nn.max_pool(
        image.extract_patches(x, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "SAME"), 2, 1, "SAME"
    )
    x = tf.nn.avg_pool(x, (2, 2), 1, "VALID") + tf.nn.max_pool2d(x, [1, 2, 2, 1], [1, 1, 1, 1], "VALID")
    x = tf.nn.avg_pool1d(tf.nn.max_pool1d(kl.Reshape((9, -1))(x), 2, 1, "SAME"), 3, 3, "VALID")
    return keras.Model(source, kl.Dense(2)(kl.Flatten()(tf.roll(x, [1], [1]))))


def pixels(keras: Any) -> Any:
    """Preprocessing inside the graph, and an activation that Keras 3 dropped."""
    source = keras.Input((8, 8, 3))
    x = keras.applications.imagenet_utils.preprocess_input(source, mode="torch")
    x = keras.layers.Conv2D(4, 3)(keras.applications.mobilenet_v2.preprocess_input(x))
    x = keras.layers.ThresholdedReLU(0.1)(x)
    return keras.Model(source, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))


SMALL: Final[dict[str, Build]] = {
    build.__name__: build
    for build in (
        dense, activations, convolutions, one_dimensional, volumes, recurrent, cells, stacked_cells, bidirectional, masked_text,
        masked_functional, masked_series, masked_pooling, sequence_to_sequence, masked_sequence_to_sequence,
        attention, transformer, cross_attention, masked_transformer, u_net, several_outputs, shared_tower,
        nested_twice, nested_sequential, frozen_base, time_distributed, time_distributed_model, conv_lstm,
        conv_lstm_1d, bidirectional_conv_lstm, mixed_precision, spectral, categories, preprocessing, undone_augmentations,
        normalization, normalizations,
        reshapes, arithmetic, einsum, channels_first, fixed_batch, slashes, states_out, embedding_dot, residual,
        autoencoder, dictionary_inputs, doubled, time_distributed_graph, operations, array_operations,
        image_operations, tensorflow_operations, tensorflow_arrays, tensorflow_images, tensorflow_sizes,
        tensorflow_matrices, tensorflow_pictures, pixels,
    )
}  # fmt: skip
"""Name -> builder."""

ONLY: Final[dict[str, str]] = {
    "operations": "keras",
    "array_operations": "keras",
    "image_operations": "keras",
    "tensorflow_operations": "tf_keras",
    "tensorflow_arrays": "tf_keras",
    "tensorflow_images": "tf_keras",
    "tensorflow_sizes": "tf_keras",
    "tensorflow_matrices": "tf_keras",
    "tensorflow_pictures": "tf_keras",
    "spectral": "keras",  # tf_keras 2.21 refuses its own
    "pixels": "tf_keras",
}
"""Name -> the one framework that has what the model is made of."""

"""The fused kernels against Keras's own calls: outputs, gradients, moving statistics, updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from analyzers.probe.fused import fuse, fuse_update

INPUTS = np.random.default_rng(0).normal(3.0, 2.0, size=(4, 5, 6, 7)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=INPUTS.shape).astype(np.float32)


def _layer(**settings: Any) -> keras.layers.BatchNormalization:
    layer = keras.layers.BatchNormalization(**settings)
    layer.build(INPUTS.shape)
    rng = np.random.default_rng(2)
    layer.set_weights([rng.uniform(0.5, 1.5, size=value.shape) for value in layer.get_weights()])
    return layer


def _ran(layer: keras.layers.BatchNormalization, training: bool) -> list[np.ndarray[Any, Any]]:
    inputs = tf.constant(INPUTS)
    variables = [v.value for v in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=training)
        loss = tf.reduce_sum(outputs * WEIGHTS)
    grads = tape.gradient(loss, [inputs, *variables])
    return [np.asarray(value) for value in (outputs, *grads, *layer.get_weights())]


@pytest.mark.parametrize(
    "settings", [{}, {"scale": False}, {"center": False}, {"momentum": 0.5, "epsilon": 1e-5}]
)
@pytest.mark.parametrize("training", [True, False])
def test_it_gives_what_keras_gives(settings: dict[str, Any], training: bool) -> None:
    plain, fused = _layer(**settings), _layer(**settings)
    fuse(fused)

    for found, expected in zip(_ran(fused, training), _ran(plain, training), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)


def test_it_uses_the_fused_kernel_in_training() -> None:
    fused = _layer()
    fuse(fused)
    graph = tf.function(lambda x: fused(x, training=True)).get_concrete_function(tf.constant(INPUTS)).graph
    assert any(operation.type.startswith("FusedBatchNorm") for operation in graph.get_operations())


def test_frozen_layers_and_other_ranks_keep_their_own_call() -> None:
    frozen, table = _layer(), keras.layers.BatchNormalization()
    frozen.trainable = False
    rows = tf.constant(INPUTS[:, 0, 0])
    expected = [np.asarray(frozen(INPUTS, training=True)), np.asarray(table(rows, training=True))]
    table.set_weights([np.ones(7), np.zeros(7), np.zeros(7), np.ones(7)])
    for layer in (frozen, table):
        fuse(layer)
    found = [np.asarray(frozen(INPUTS, training=True)), np.asarray(table(rows, training=True))]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


ADAMS = (
    keras.optimizers.Adam,
    keras.optimizers.AdamW,
    lambda **settings: keras.optimizers.Adam(clipnorm=0.5, use_ema=True, **settings),
    lambda **settings: keras.optimizers.Adam(beta_1=0.5, beta_2=0.9, epsilon=1e-3, **settings),
    lambda **settings: keras.optimizers.Adam(amsgrad=True, **settings),
    lambda **settings: keras.optimizers.SGD(momentum=0.9, **settings),
)


def _trained(optimizer: keras.optimizers.Optimizer) -> list[np.ndarray[Any, Any]]:
    """Weights and the optimizer's state after some steps of changing rate."""
    rng = np.random.default_rng(3)
    weights = [
        keras.Variable(rng.normal(size=shape).astype("float32"), constraint=constraint)
        for shape, constraint in (((5, 4), keras.constraints.NonNeg()), ((4,), None))
    ]
    optimizer.build(weights)
    step = tf.function(lambda grads: optimizer.apply(grads, weights))
    for number in range(6):
        optimizer.learning_rate.assign(0.01 * (number + 1))
        step([tf.constant(rng.normal(size=one.shape).astype("float32")) for one in weights])
    return [np.asarray(one) for one in (*weights, *optimizer.variables)]


@pytest.mark.parametrize("make", ADAMS)
def test_an_update_gives_what_keras_gives(make: Callable[..., keras.optimizers.Optimizer]) -> None:
    plain, fused = make(learning_rate=0.01), make(learning_rate=0.01)
    fuse_update(fused)

    for found, expected in zip(_trained(fused), _trained(plain), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_half_precision_weights_keep_their_own_update() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.raw_ops, "ResourceApplyAdam", None)
        optimizer = keras.optimizers.Adam()
        fuse_update(optimizer)
        weight = keras.Variable(np.ones(3), dtype="float16")
        optimizer.build([weight])
        optimizer.apply([tf.ones(3, tf.float16)], [weight])
    assert np.all(np.asarray(weight) < 1)


def test_adam_updates_by_the_fused_kernel() -> None:
    optimizer = keras.optimizers.Adam()
    fuse_update(optimizer)
    weight = keras.Variable(np.ones(3, np.float32))
    optimizer.build([weight])
    graph = tf.function(lambda g: optimizer.apply([g], [weight])).get_concrete_function(tf.ones(3)).graph
    assert any(operation.type == "ResourceApplyAdam" for operation in graph.get_operations())


@pytest.mark.parametrize(
    ("groups", "settings"),
    [
        (7, {}),
        (7, {"strides": 2, "padding": "same"}),
        (7, {"dilation_rate": 2, "use_bias": False, "activation": "relu"}),
        (7, {"strides": (1, 2)}),
        (1, {}),
    ],
)
def test_a_convolution_by_channel_gives_what_keras_gives(groups: int, settings: dict[str, Any]) -> None:
    plain, fused = (keras.layers.Conv2D(7, 2, groups=groups, **settings) for _ in range(2))
    for layer in (plain, fused):
        layer.build(INPUTS.shape)
    fused.set_weights(plain.get_weights())
    fuse(fused)

    for found, expected in zip(_convolved(fused), _convolved(plain), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def _convolved(layer: keras.layers.Conv2D) -> list[np.ndarray[Any, Any]]:
    inputs = tf.constant(INPUTS)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        loss = tf.reduce_sum(tf.square(outputs))
    grads = tape.gradient(loss, [inputs, *(v.value for v in layer.trainable_variables)])
    return [np.asarray(value) for value in (outputs, *grads)]


def test_a_convolution_by_channel_uses_the_depthwise_kernel() -> None:
    layer = keras.layers.Conv2D(7, 3, groups=7)
    layer.build(INPUTS.shape)
    fuse(layer)
    graph = tf.function(layer).get_concrete_function(tf.constant(INPUTS)).graph
    assert any(operation.type == "DepthwiseConv2dNative" for operation in graph.get_operations())

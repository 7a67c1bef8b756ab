"""The fused kernel against Keras's own call: outputs, gradients, moving statistics."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from analyzers.probe.fused import fuse

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

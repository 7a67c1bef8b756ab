"""BatchNormalization by TensorFlow's fused kernel: the same numbers, a fraction of the operations.

Keras composes the layer of a dozen elementwise operations, which on a CPU costs more than the
convolutions of a small network, and doubles the time that tracing takes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import tensorflow as tf


def fuse(layer: keras.Layer) -> None:
    """Let a BatchNormalization use the fused kernel wherever it gives what Keras's own call gives.

    That is in training mode, on float32 maps (batch, height, width, channels) normalised over their last
    axis, without a mask or renormalisation.  Everywhere else, and for every other layer, nothing changes.
    """
    if type(layer) is keras.layers.BatchNormalization and not layer.renorm:
        layer.call = partial(_call, layer, layer.call)


def _call(
    layer: keras.layers.BatchNormalization,
    plain: Any,
    inputs: Any,
    training: bool | None = None,
    mask: Any = None,
) -> Any:
    """``call`` of the layer.  ``plain`` is its own."""
    fits = len(inputs.shape) == 4 and layer.axis in (-1, 3) and inputs.dtype == tf.float32
    if not (training and layer.trainable and mask is None and fits and layer.compute_dtype == "float32"):
        return plain(inputs, training=training, mask=mask)
    channels = inputs.shape[-1]
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        inputs,
        layer.gamma if layer.scale else tf.ones(channels),
        layer.beta if layer.center else tf.zeros(channels),
        epsilon=layer.epsilon,
        is_training=True,
    )
    samples = tf.cast(tf.size(inputs) / channels, tf.float32)
    biased = variance * (samples - 1.0) / samples  # the kernel's is Bessel-corrected, Keras's is not
    keep = layer.momentum
    layer.moving_mean.assign(layer.moving_mean * keep + mean * (1.0 - keep))
    layer.moving_variance.assign(layer.moving_variance * keep + biased * (1.0 - keep))
    return outputs

"""What Keras does in many operations, by TensorFlow's kernels for it: the same numbers, a fraction of the time.

Keras composes BatchNormalization and Adam of a dozen elementwise operations.  On a CPU those of the layer cost
more than the convolutions of a small network, and double the time that tracing takes; those of Adam cost as much
as the gradients of a network of some ten million weights, nearly three times as much as the kernel.  A
convolution in as many groups as channels is compiled by XLA, which on a CPU takes ten times as long as the
kernel for depthwise convolutions (all measured).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import tensorflow as tf


def fuse(layer: keras.Layer) -> None:
    """Let a layer use the kernel made for it wherever it gives what Keras's own call gives.

    A BatchNormalization does in training mode, on float32 maps (batch, height, width, channels) normalised
    over their last axis, without a mask or renormalisation.  A Conv2D does on such maps with a group for each
    channel and equal strides.  Everywhere else, and for every other layer, nothing changes.
    """
    if type(layer) is keras.layers.BatchNormalization and not layer.renorm:
        layer.call = partial(_call, layer, layer.call)
    if type(layer) is keras.layers.Conv2D and layer.groups > 1 and layer.data_format == "channels_last":
        layer.convolution_op = partial(_convolution, layer, layer.convolution_op)


def _convolution(layer: keras.layers.Conv2D, plain: Any, inputs: Any, kernel: Any) -> Any:
    """``convolution_op`` of the layer.  ``plain`` is its own."""
    height, width = layer.strides
    depthwise = layer.groups == layer.filters == inputs.shape[-1]
    if not depthwise or height != width:
        return plain(inputs, kernel)
    by_channel = tf.transpose(keras.ops.convert_to_tensor(kernel), (0, 1, 3, 2))
    return tf.nn.depthwise_conv2d(
        inputs,
        by_channel,
        strides=(1, height, width, 1),
        padding=layer.padding.upper(),
        dilations=layer.dilation_rate,
    )


def fuse_update(optimizer: keras.optimizers.Optimizer) -> None:
    """Let Adam and AdamW update float32 weights by the fused kernel; nothing changes for other optimizers.

    The kernel computes what Keras does (Kingma & Ba 2015, end of section 2); clipping, weight decay, moving
    averages and constraints stay Keras's own.
    """
    if type(optimizer) in (keras.optimizers.Adam, keras.optimizers.AdamW) and not optimizer.amsgrad:
        optimizer.update_step = partial(_update_step, optimizer, optimizer.update_step)


def _update_step(
    optimizer: keras.optimizers.Adam, plain: Any, gradient: Any, variable: tf.Variable, learning_rate: Any
) -> None:
    """``update_step`` of the optimizer.  ``plain`` is its own."""
    if variable.dtype != tf.float32:
        plain(gradient, variable, learning_rate)
        return
    index = optimizer._get_variable_index(variable)
    step = tf.cast(optimizer.iterations + 1, tf.float32)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].value.handle,
        v=optimizer._velocities[index].value.handle,
        beta1_power=tf.pow(optimizer.beta_1, step),
        beta2_power=tf.pow(optimizer.beta_2, step),
        lr=tf.cast(learning_rate, tf.float32),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=tf.cast(gradient, tf.float32),
    )


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

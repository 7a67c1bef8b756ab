"""Tiny models after a real, short training run."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

STEPS = 110
"""A little over the steps from which a zero in the optimizer's record proves something."""


def trained(
    model: keras.Model, *, optimizer: Any = "adam", loss: Any = "mse", steps: int = STEPS,
    mean: float = 0.0, std: float = 1.0,
) -> keras.Model:  # fmt: skip
    """Compile a model and train it on random inputs and random targets, eight samples a step."""
    if not model.compiled:
        model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    rng = np.random.default_rng(0)
    inputs = [rng.normal(mean, std, size=(8 * steps, *tensor.shape[1:])) for tensor in model.inputs]
    targets = [rng.uniform(size=(8 * steps, *tensor.shape[1:])) for tensor in model.outputs]
    one_input, one_output = len(inputs) == 1, len(targets) == 1
    model.fit(
        inputs[0] if one_input else inputs,
        targets[0] if one_output else targets,
        batch_size=8,
        epochs=1,
        shuffle=False,
        verbose=0,
    )
    return model


def kill(layer: Any, share: float = 1.0) -> None:
    """Put a share of a built layer's units so far below zero that no input reaches their ReLU."""
    units = layer.bias.shape[0]
    layer.bias.assign(np.where(np.arange(units) < round(share * units), -1e4, layer.bias.numpy()))

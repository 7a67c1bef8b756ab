"""Augmentation is switched off in the probe, and in the probe alone."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.probe.unaugmented import augments, switch_off
from tests.probe.models import CLASSES, compiled, plain, setting, trial_of, watch
from tests.support import spec_of

IMAGES = np.random.default_rng(0).uniform(0, 255, size=(4, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "layer",
    [
        layers.RandomFlip(seed=1),
        layers.RandomRotation(0.5, seed=1),
        layers.RandomBrightness(0.9, seed=1),
        layers.RandomContrast(0.9, seed=1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_an_augmentation_passes_its_input_on(layer: keras.Layer) -> None:
    assert not np.allclose(layer(IMAGES, training=True), IMAGES)
    switch_off(layer)
    np.testing.assert_allclose(layer(IMAGES, training=True), IMAGES, atol=1e-4)


def _drowned() -> keras.Model:
    """Brightness that leaves nothing of an image, in front of a network that learns."""
    inputs = keras.Input((8, 8, 3), name="image")
    x = layers.RandomBrightness(1.0, value_range=(-2000, 2000), name="light")(inputs)
    x = layers.Flatten(name="flatten")(x)
    return compiled(keras.Model(inputs, layers.Dense(CLASSES, activation="softmax", name="head")(x)))


def test_a_network_behind_augmentation_is_probed_without_it(tmp_path: Path) -> None:
    spec = spec_of(_drowned(), tmp_path)
    assert augments(spec)
    assert not augments(spec_of(plain(), tmp_path))
    assert trial_of(spec).run(setting(steps=60), watch()).verdict == "learnt"

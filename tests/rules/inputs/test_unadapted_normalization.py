from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

from analyzers.rules.inputs.unadapted_normalization import UnadaptedNormalization
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = UnadaptedNormalization()


def test_a_layer_that_saw_no_data(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Normalization(name="norm"), layers.Dense(1)])
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("norm",))


def test_behind_rescaling_it_is_information(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.Normalization()(layers.RandomFlip()(layers.Rescaling(1 / 255)(inputs)))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Conv2D(4, 3)(x)), tmp_path))
    assert finding.severity == "info"


def test_an_unadapted_layer_inside_a_nested_model(tmp_path: Path) -> None:
    front = keras.Sequential([keras.Input((4,)), layers.Normalization(name="norm")], name="front")
    inputs = keras.Input((4,))
    spec = spec_of(keras.Model(inputs, layers.Dense(1)(front(inputs))), tmp_path)
    (finding,) = findings(RULE, spec)
    assert finding.layers == ("front/norm",)


def test_an_adapted_layer_passes(tmp_path: Path) -> None:
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(3.0, 2.0, (64, 4)))
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(1)])
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_given_statistics_are_not_judged(tmp_path: Path) -> None:
    layer = layers.Normalization(mean=[0.0] * 4, variance=[1.0] * 4)
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(1)])
    assert "adapt" in reason(RULE, spec_of(model, tmp_path))

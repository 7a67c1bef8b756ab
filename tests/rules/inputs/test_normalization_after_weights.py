from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.inputs.normalization_after_weights import NormalizationAfterWeights
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = NormalizationAfterWeights()


def model(scaling: keras.layers.Layer, *, before: bool) -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = scaling(inputs) if before else inputs
    x = layers.Conv2D(4, 3, activation="relu", name="first")(x)
    x = x if before else scaling(x)
    x = layers.Conv2D(4, 3, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def test_scaling_behind_the_first_convolution(tmp_path: Path) -> None:
    (finding,) = findings(
        RULE, spec_of(model(layers.Rescaling(1 / 255, name="scale"), before=False), tmp_path)
    )
    assert (finding.severity, finding.layers) == ("warning", ("scale",))
    assert finding.evidence["first_weights"] == ["first"]


def test_inside_a_nested_model_on_both_branches(tmp_path: Path) -> None:
    inputs = keras.Input((32, 32, 3))
    left, right = layers.Conv2D(2, 1, name="left")(inputs), layers.Conv2D(2, 1, name="right")(inputs)
    x = layers.Concatenate()([left, right])
    x = keras.Sequential([keras.Input((32, 32, 4)), layers.Rescaling(1 / 255, name="scale")], name="inner")(x)
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Conv2D(2, 1)(x)), tmp_path))
    assert finding.layers == ("inner/scale",)
    assert finding.evidence["first_weights"] == ["left", "right"]


def test_scaling_in_front_and_at_the_output(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(layers.Rescaling(1 / 255), before=True), tmp_path)) == []
    inputs = keras.Input((8,))
    back = layers.Normalization(mean=3.0, variance=4.0, invert=True)(layers.Dense(1)(layers.Dense(4)(inputs)))
    assert findings(RULE, spec_of(keras.Model(inputs, back), tmp_path)) == []


def test_a_factor_that_is_not_for_pixels(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(layers.Rescaling(0.5), before=False), tmp_path)) == []


def test_without_scaling(tmp_path: Path) -> None:
    assert "no scaling layer" in reason(
        RULE, spec_of(keras.Sequential([keras.Input((4,)), layers.Dense(2)]), tmp_path)
    )

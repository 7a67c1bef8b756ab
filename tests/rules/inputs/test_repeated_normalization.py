from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.inputs.repeated_normalization import RepeatedNormalization
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = RepeatedNormalization()


def model(*scaling: keras.layers.Layer, nested: bool = False) -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = inputs
    if nested:
        x = keras.Sequential([keras.Input((32, 32, 3)), scaling[0]], name="prepare")(x)
        scaling = scaling[1:]
    for layer in scaling:
        x = layer(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Conv2D(4, 3)(x))))


def test_dividing_by_255_twice(tmp_path: Path) -> None:
    twice = model(layers.Rescaling(1 / 255, name="first"), layers.Rescaling(1 / 127.5, -1, name="second"))
    (finding,) = findings(RULE, spec_of(twice, tmp_path))
    assert (finding.severity, finding.layers, finding.certain) == ("error", ("first", "second"), False)
    assert finding.evidence["superfluous"] == ["second"]
    assert finding.evidence["output_std"] < 0.01


def test_through_a_nested_model_and_arithmetic(tmp_path: Path) -> None:
    inputs = keras.Input((32, 32, 3))
    x = keras.Sequential([keras.Input((32, 32, 3)), layers.Rescaling(1 / 255, name="scale")], name="prepare")(
        inputs
    )
    x = layers.Conv2D(4, 3)(layers.RandomFlip()(x) / 255.0)
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Flatten()(x)), tmp_path))
    assert finding.layers[0] == "prepare/scale"


def test_only_the_branch_that_scales_twice_is_told(tmp_path: Path) -> None:
    inputs = keras.Input((32, 32, 3))
    once = layers.Rescaling(1 / 255, name="once")(inputs)
    twice = layers.Rescaling(1 / 255, name="twice")(once)
    x = layers.Concatenate()([layers.Conv2D(2, 3)(once), layers.Conv2D(2, 3)(twice)])
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Flatten()(x)), tmp_path))
    assert finding.evidence["superfluous"] == ["twice"]


def test_the_same_statistics_twice(tmp_path: Path) -> None:
    constants = {"mean": [120.0, 120.0, 120.0], "variance": [4000.0, 4000.0, 4000.0]}
    twice = model(layers.Normalization(**constants), layers.Normalization(**constants, name="again"))
    (finding,) = findings(RULE, spec_of(twice, tmp_path))
    assert finding.evidence["superfluous"] == ["again"]


def test_steps_that_belong_together(tmp_path: Path) -> None:
    together = model(layers.Rescaling(1 / 255), layers.Rescaling(2.0, -1.0))
    assert findings(RULE, spec_of(together, tmp_path)) == []
    torch = model(layers.Rescaling(255.0), layers.Rescaling(1 / 127.5, -1))
    assert findings(RULE, spec_of(torch, tmp_path)) == []


def test_one_layer_is_nothing_to_judge(tmp_path: Path) -> None:
    assert "two fixed scaling layers" in reason(RULE, spec_of(model(layers.Rescaling(1 / 255)), tmp_path))

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.outputs.single_unit_softmax import SingleUnitSoftmax
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = SingleUnitSoftmax()


def test_one_unit_is_certain(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1, activation="softmax", name="out")])
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert (finding.severity, finding.certain, finding.layers) == ("error", True, ("out",))


def test_one_unit_in_a_legacy_file(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1, activation="softmax", name="out")])
    assert len(findings(RULE, spec_of(model, tmp_path, format="h5"))) == 1


def test_a_softmax_layer_of_its_own_in_a_nested_model(tmp_path: Path) -> None:
    body = keras.Sequential([keras.Input((6,)), layers.Dense(1), layers.Softmax(name="squash")], name="body")
    inputs = keras.Input((6,))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, body(inputs)), tmp_path))
    assert finding.layers == ("body/squash",)


def test_the_axis_counts(tmp_path: Path) -> None:
    inputs = keras.Input((6, 4))
    over_steps = layers.Softmax(axis=1)(layers.Dense(1)(inputs))
    over_units = layers.Softmax(axis=-1)(layers.Dense(1)(inputs))
    assert findings(RULE, spec_of(keras.Model(inputs, over_steps), tmp_path)) == []
    assert len(findings(RULE, spec_of(keras.Model(inputs, over_units), tmp_path))) == 1


def test_several_units_pass(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(2, activation="softmax")])
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_a_softmax_inside_the_model_is_not_judged(tmp_path: Path) -> None:
    inputs = keras.Input((6, 4))
    weights = layers.Dense(1, activation="softmax")(inputs)
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(layers.Multiply()([inputs, weights]))))
    assert "no output" in reason(RULE, spec_of(model, tmp_path))

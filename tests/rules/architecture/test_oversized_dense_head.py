from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rule import Measurement
from analyzers.rules.architecture.oversized_dense_head import OversizedDenseHead
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = OversizedDenseHead()


def test_a_dense_layer_on_a_feature_map(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.Flatten()(layers.MaxPooling2D()(layers.Conv2D(8, 3, activation="relu")(inputs)))
    x = layers.Dense(64, activation="relu", name="head")(layers.Dropout(0.2)(x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert (finding.severity, finding.layers) == ("info", ("head",))
    assert finding.evidence["parameters"] == 7 * 7 * 8 * 64
    assert finding.evidence["share"] == pytest.approx(7 * 7 * 8 * 64 / model.count_params())


def test_a_convolutional_base_in_a_nested_model(tmp_path: Path) -> None:
    base = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(8, 3)], name="base")
    inputs = keras.Input((16, 16, 3))
    x = layers.Dense(64, name="head")(layers.Flatten()(base(inputs)))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, x), tmp_path))
    assert finding.layers == ("head",)


def test_most_of_a_very_large_model_is_a_warning() -> None:
    row = {"parameters": 51_000_000, "share": 0.9, "inputs": 12544, "units": 4096}
    (finding,) = RULE.judge(Measurement(0.9, "share", {"head": row}, {"parameters": 56_000_000}))
    assert finding.severity == "warning"


def test_global_pooling_and_plain_dense_networks_are_passed_over(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(inputs))
    dense = keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(64), layers.Dense(10)])
    for model in (keras.Model(inputs, layers.Dense(512)(layers.Flatten()(pooled))), dense):
        assert "no dense layer" in reason(RULE, spec_of(model, tmp_path))

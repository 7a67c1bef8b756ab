from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.dropout_before_batch_normalization import DropoutBeforeBatchNormalization
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = DropoutBeforeBatchNormalization()


def stack(*body: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((16,)), layers.Dense(16), *body, layers.Dense(2)])


def test_right_in_front(tmp_path: Path) -> None:
    body = (layers.Dropout(0.5, name="drop"), layers.ReLU(), layers.BatchNormalization(name="norm"))
    (finding,) = findings(RULE, spec_of(stack(*body), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("drop",))
    assert finding.evidence["variance_ratio"] == 2.0


def test_a_layer_away_is_information(tmp_path: Path) -> None:
    body = (layers.Dropout(0.3, name="drop"), layers.Dense(8), layers.BatchNormalization())
    (finding,) = findings(RULE, spec_of(stack(*body), tmp_path))
    assert (finding.severity, finding.layers) == ("info", ("drop",))


def test_from_one_nested_model_into_the_next(tmp_path: Path) -> None:
    inputs = keras.Input((16,))
    front = keras.Sequential(
        [keras.Input((16,)), layers.Dense(8), layers.Dropout(0.5, name="drop")], name="front"
    )
    back = keras.Sequential([keras.Input((8,)), layers.BatchNormalization(), layers.Dense(2)], name="back")
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, back(front(inputs))), tmp_path))
    assert finding.layers == ("front/drop",)


def test_the_other_order_and_a_residual_way(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(stack(layers.BatchNormalization(), layers.Dropout(0.5)), tmp_path)) == []
    inputs = keras.Input((16,))
    x = layers.Add()([inputs, layers.Dropout(0.5)(layers.Dense(16)(inputs))])
    assert findings(RULE, spec_of(keras.Model(inputs, layers.BatchNormalization()(x)), tmp_path)) == []


def test_without_normalisation(tmp_path: Path) -> None:
    assert "no BatchNormalization" in reason(RULE, spec_of(stack(layers.Dropout(0.5)), tmp_path))

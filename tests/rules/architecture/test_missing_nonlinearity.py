from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.missing_nonlinearity import MissingNonlinearity
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = MissingNonlinearity()


def chain(*body: keras.layers.Layer, shape: tuple[int, ...] = (6,)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *body, layers.Dense(3, "softmax", name="out")])


def test_three_linear_layers(tmp_path: Path) -> None:
    linear = chain(layers.Dense(8, name="a"), layers.Dropout(0.1), layers.Dense(8, "linear", name="b"))
    (finding,) = findings(RULE, spec_of(linear, tmp_path))
    assert (finding.severity, finding.layers, finding.certain) == ("error", ("a", "b", "out"), False)


def test_average_pooling_and_batch_normalization_do_not_bend(tmp_path: Path) -> None:
    body = [layers.Conv2D(4, 3, name="c"), layers.BatchNormalization(), layers.AveragePooling2D(2)]
    linear = chain(*body, layers.Conv2D(4, 3, name="d"), layers.Flatten(), shape=(16, 16, 1))
    (finding,) = findings(RULE, spec_of(linear, tmp_path))
    assert finding.evidence["linear_layers"] == 3


def test_linear_branches_through_nested_models(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    body = keras.Sequential([keras.Input((6,)), layers.Dense(6), layers.Dense(6)], name="body")
    x = layers.Add()([body(inputs), layers.Dense(6)(inputs)])
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Dense(2)(x / 2.0)), tmp_path))
    assert finding.evidence["linear_layers"] == 3


def test_a_pair_is_information(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(chain(layers.Dense(8)), tmp_path))
    assert finding.severity == "info"


def test_every_form_of_bend(tmp_path: Path) -> None:
    for bend in (layers.ReLU(), layers.Activation("tanh"), layers.LayerNormalization(), layers.PReLU()):
        assert findings(RULE, spec_of(chain(layers.Dense(8), bend, layers.Dense(8)), tmp_path)) == []
    inputs = keras.Input((6,))
    product = layers.Multiply()([layers.Dense(6)(inputs), layers.Dense(6)(inputs)])
    for bent in (
        product,
        keras.ops.relu(layers.Dense(6)(inputs)),
        keras.ops.maximum(layers.Dense(6)(inputs), inputs),
    ):
        model = keras.Model(inputs, layers.Dense(2)(layers.Dense(6)(bent)))
        assert findings(RULE, spec_of(model, tmp_path)) == []
    recurrent = keras.Sequential([keras.Input((5, 2)), layers.LSTM(3), layers.Dense(3), layers.Dense(1)])
    assert findings(RULE, spec_of(recurrent, tmp_path)) == []


def test_without_weights(tmp_path: Path) -> None:
    assert "no layer has weights" in reason(
        RULE, spec_of(keras.Sequential([keras.Input((4,)), layers.ReLU()]), tmp_path)
    )


def test_a_task_that_a_linear_map_learns_does_not_refute_it(tmp_path: Path) -> None:
    deep = keras.Sequential([keras.Input((4,)), *(layers.Dense(8) for _ in range(3)), layers.Dense(2)])
    (finding,) = findings(RULE, spec_of(deep, tmp_path))
    assert finding.despite_learning

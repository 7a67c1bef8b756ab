from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.saturating_activations import SaturatingActivations
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = SaturatingActivations()


def stack(activation: str, depth: int, *, between: type[layers.Layer] | None = None) -> keras.Model:
    body: list[layers.Layer] = []
    for number in range(depth):
        body += [layers.Dense(16, activation, name=f"d{number}"), *([between()] if between else [])]
    return keras.Sequential([keras.Input((8,)), *body, layers.Dense(3, "softmax")])


def test_four_sigmoids(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(stack("sigmoid", 4), tmp_path))
    assert (finding.severity, finding.layers, finding.certain) == ("error", ("d0", "d1", "d2", "d3"), False)
    assert finding.evidence["predicted_gradient_scale"] < 0.25**3


def test_eight_tanhs_as_layers_of_their_own(tmp_path: Path) -> None:
    body: list[layers.Layer] = []
    for _ in range(8):
        body += [layers.Dense(16), layers.Activation("tanh")]
    model = keras.Sequential([keras.Input((8,)), *body, layers.Dense(3)])
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.evidence["layers_in_a_row"] == 8


def test_a_shortcut_and_a_nested_model(tmp_path: Path) -> None:
    inputs = x = keras.Input((16,))
    for _ in range(6):
        x = layers.Add()([x, layers.Dense(16, "sigmoid")(x)])
    assert findings(RULE, spec_of(keras.Model(inputs, layers.Dense(2)(x)), tmp_path)) == []
    outer = keras.Input((8,))
    nested = keras.Model(outer, layers.Dense(2)(stack("sigmoid", 5)(outer)))
    (finding,) = findings(RULE, spec_of(nested, tmp_path))
    assert finding.evidence["layers_in_a_row"] == 5


def test_few_or_normalised(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(stack("sigmoid", 3), tmp_path)) == []
    assert findings(RULE, spec_of(stack("tanh", 7), tmp_path)) == []
    assert findings(RULE, spec_of(stack("sigmoid", 6, between=layers.BatchNormalization), tmp_path)) == []


def test_gates_do_not_count(tmp_path: Path) -> None:
    recurrent = [layers.LSTM(4, return_sequences=True) for _ in range(9)]
    model = keras.Sequential([keras.Input((5, 2)), *recurrent, layers.Dense(1, "sigmoid")])
    assert "no hidden layer" in reason(RULE, spec_of(model, tmp_path))

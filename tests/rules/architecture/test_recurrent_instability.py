from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.recurrent_instability import RecurrentInstability
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = RecurrentInstability()


def model(*recurrent: keras.layers.Layer, steps: int | None = 60, units: int = 1) -> keras.Model:
    return keras.Sequential([keras.Input((steps, 3)), *recurrent, layers.Dense(units)])


def test_a_state_without_a_bound(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(layers.LSTM(8, activation="relu", name="lstm")), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("lstm",))


def test_inside_bidirectional_in_a_nested_model(tmp_path: Path) -> None:
    inputs = keras.Input((60, 3))
    wrapped = layers.Bidirectional(layers.SimpleRNN(4, activation="relu"), name="both")
    body = keras.Sequential([keras.Input((60, 3)), wrapped], name="body")
    x = layers.Concatenate()([body(inputs), layers.GRU(4)(inputs)])
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Dense(1)(x)), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("body/both",))


def test_what_holds_it_back_makes_it_information(tmp_path: Path) -> None:
    clipped = model(layers.LSTM(8, activation="relu"))
    clipped.compile(keras.optimizers.Adam(1e-3, clipnorm=1.0), "mse")
    identity = model(layers.SimpleRNN(8, activation="relu", recurrent_initializer="identity"))
    for held in (clipped, identity, model(layers.GRU(8, activation="relu"), steps=10)):
        (finding,) = findings(RULE, spec_of(held, tmp_path))
        assert finding.severity == "info"


def test_a_plain_layer_over_many_steps(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(layers.SimpleRNN(8), steps=200), tmp_path))
    assert (finding.severity, finding.evidence["steps"]) == ("warning", 200)


def test_an_answer_at_every_step(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(layers.LSTM(8, return_sequences=True, name="all")), tmp_path))
    assert (finding.severity, finding.layers) == ("info", ("all",))


def test_usual_recurrent_models(tmp_path: Path) -> None:
    assert (
        findings(RULE, spec_of(model(layers.LSTM(8, return_sequences=True), layers.LSTM(8)), tmp_path)) == []
    )
    assert findings(RULE, spec_of(model(layers.SimpleRNN(8), steps=20), tmp_path)) == []


def test_without_recurrent_layers(tmp_path: Path) -> None:
    assert "no recurrent layer" in reason(RULE, spec_of(model(layers.Flatten()), tmp_path))

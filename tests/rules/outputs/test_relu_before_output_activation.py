from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.outputs.relu_before_output_activation import ReluBeforeOutputActivation
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = ReluBeforeOutputActivation()


def model(*end: keras.layers.Layer, loss: str | None = None) -> keras.Model:
    made = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), *end])
    if loss:
        made.compile(loss=loss)
    return made


def test_under_a_softmax(tmp_path: Path) -> None:
    (finding,) = findings(
        RULE, spec_of(model(layers.Dense(5, "relu", name="scores"), layers.Softmax()), tmp_path)
    )
    assert (finding.severity, finding.layers[-1], finding.certain) == ("error", "scores", False)


def test_under_a_sigmoid_it_is_certain(tmp_path: Path) -> None:
    end = (layers.Dense(1), layers.ReLU(name="relu"), layers.Activation("sigmoid"))
    (finding,) = findings(RULE, spec_of(model(*end, loss="binary_crossentropy"), tmp_path))
    assert finding.certain
    assert finding.layers[-1] == "relu"


def test_as_the_output_of_a_classifier(tmp_path: Path) -> None:
    made = model(layers.Dense(5, "relu", name="out"), loss="categorical_crossentropy")
    (finding,) = findings(RULE, spec_of(made, tmp_path))
    assert finding.layers == ("out",)


def test_one_of_two_outputs_in_a_nested_model(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    body = keras.Sequential([keras.Input((6,)), layers.Dense(5, "relu", name="scores")], name="body")
    outputs = [layers.Softmax()(body(inputs)), layers.Dense(5, "softmax")(inputs)]
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, outputs), tmp_path))
    assert finding.layers[-1] == "body/scores"


def test_a_relu_in_front_of_the_last_weights(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(layers.Dense(5, "softmax")), tmp_path)) == []
    assert findings(RULE, spec_of(model(layers.Dense(1, "relu"), loss="mse"), tmp_path)) == []


def test_logits(tmp_path: Path) -> None:
    assert "no output ends in an activation" in reason(RULE, spec_of(model(layers.Dense(5)), tmp_path))

from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.outputs.bounded_output_for_regression import BoundedOutputForRegression
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = BoundedOutputForRegression()


def model(activation: str | None, loss: str, shape: tuple[int, ...] = (6,), units: int = 1) -> keras.Model:
    made = keras.Sequential(
        [keras.Input(shape), layers.Dense(8, "relu"), layers.Dense(units, activation, name="out")]
    )
    made.compile(loss=loss)
    return made


@pytest.mark.parametrize(("activation", "loss"), [("relu", "mse"), ("sigmoid", "mae"), ("tanh", "huber")])
def test_bounds_under_a_regression_loss(activation: str, loss: str, tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(activation, loss), tmp_path))
    assert (finding.severity, finding.layers, finding.certain) == ("warning", ("out",), False)


def test_a_separate_activation_behind_branches(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    x = layers.Add()([layers.Dense(4)(inputs), layers.Dense(4, "relu")(inputs)])
    x = layers.Reshape((1,))(layers.ReLU(name="bound")(layers.Dense(1)(x)))
    made = keras.Model(inputs, x)
    made.compile(loss="mse")
    (finding,) = findings(RULE, spec_of(made, tmp_path))
    assert finding.layers == ("bound",)


def test_targets_that_are_bounded_too(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model("sigmoid", "mse", units=6), tmp_path))
    assert finding.severity == "info"
    (finding,) = findings(RULE, spec_of(model("softplus", "mse"), tmp_path))
    assert finding.severity == "info"


def test_an_output_without_bound(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(None, "mse"), tmp_path)) == []


def test_classifiers(tmp_path: Path) -> None:
    assert "regression loss" in reason(RULE, spec_of(model("sigmoid", "binary_crossentropy"), tmp_path))

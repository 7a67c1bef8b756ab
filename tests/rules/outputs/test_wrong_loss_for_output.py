from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from analyzers.rules.outputs.wrong_loss_for_output import WrongLossForOutput
from analyzers.spec import ObjectSpec
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = WrongLossForOutput()


def model(units: int, activation: str | None, loss: Any, metrics: list[str] | None = None) -> keras.Model:
    made = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, "relu"), layers.Dense(units, activation, name="out")]
    )
    made.compile(loss=loss, metrics=metrics)
    return made


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_a_categorical_loss_over_one_unit_is_certain(loss: str, tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(1, "sigmoid", loss), tmp_path))
    assert (finding.severity, finding.layers, finding.certain) == ("error", ("out",), True)


def test_accuracy_is_no_loss(tmp_path: Path) -> None:
    spec = spec_of(model(5, "softmax", "categorical_crossentropy"), tmp_path)
    assert spec.training is not None
    wrong = replace(spec, training=replace(spec.training, losses=(ObjectSpec("categorical_accuracy"),)))
    (finding,) = findings(RULE, wrong)
    assert (finding.severity, finding.certain) == ("error", False)


def test_squared_error_on_a_softmax(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(5, "softmax", "mse"), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("out",))


def test_labels_in_two_forms(tmp_path: Path) -> None:
    made = model(5, "softmax", "sparse_categorical_crossentropy", ["categorical_accuracy"])
    (finding,) = findings(RULE, spec_of(made, tmp_path))
    assert finding.evidence["metric"] == "categorical_accuracy"


def test_weights_that_lead_only_to_an_output_without_loss(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    shared = layers.Dense(8, "relu", name="shared")(inputs)
    left, right = layers.Dense(3, name="left")(shared), layers.Dense(3, name="right")(shared)
    made = keras.Model(inputs, [left, right])
    made.compile(loss=["mse", None])
    (finding,) = findings(RULE, spec_of(made, tmp_path))
    assert (finding.layers, finding.certain) == (("right",), True)
    assert "has no loss while others have one" in finding.explanation

    made.compile(loss=["mse", "mse"], loss_weights=[0.5, 0.0])
    (finding,) = findings(RULE, spec_of(made, tmp_path))
    assert (finding.layers, finding.certain) == (("right",), True)
    assert "a loss whose weight is 0" in finding.explanation


@pytest.mark.parametrize(
    ("units", "activation", "loss"),
    [
        (5, "softmax", "categorical_crossentropy"),
        (1, "sigmoid", "binary_crossentropy"),
        (1, None, "mse"),
        (5, None, "cosine_similarity"),
        (1, "softmax", "categorical_crossentropy"),  # single-unit-softmax tells it
    ],
)
def test_losses_that_suit(units: int, activation: str | None, loss: str, tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(units, activation, loss), tmp_path)) == []


def test_without_a_loss(tmp_path: Path) -> None:
    assert "names no loss" in reason(RULE, spec_of(model(5, None, None), tmp_path))

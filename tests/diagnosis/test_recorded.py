"""What the optimizer's state remembers of a regression's mean error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.diagnosis.recorded import recorded
from tests.support import spec_of

FAR = np.array([[1000.0, -500.0]])


def _trained(optimizer: Any, loss: str, folder: Path, activation: str = "linear", **settings: Any) -> Any:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation, name="line")])
    model.compile(optimizer, loss, jit_compile=False, **settings)
    model.fit(np.ones((64, 3)), np.repeat(FAR, 64, 0), batch_size=8, verbose=0)
    return spec_of(model, folder)


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam(1e-4), keras.optimizers.SGD(1e-6, momentum=0.9)])
@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_it_is_answer_minus_target(tmp_path: Path, optimizer: Any, weight: float) -> None:
    optimizer = type(optimizer).from_config(optimizer.get_config())
    spec = _trained(optimizer, "mean_squared_error", tmp_path, loss_weights=[weight])
    (found,) = recorded(spec).errors.values()
    assert found == pytest.approx(-FAR[0], rel=0.05)


@pytest.mark.parametrize(
    ("optimizer", "loss", "activation"),
    [("adam", "mean_absolute_error", "linear"), ("rmsprop", "mean_squared_error", "linear"),
     ("adam", "mean_squared_error", "relu")],
)  # fmt: skip
def test_what_does_not_tell_it_is_left_out(
    tmp_path: Path, optimizer: str, loss: str, activation: str
) -> None:
    assert recorded(_trained(optimizer, loss, tmp_path, activation)).errors == {}


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_the_size_of_the_input_is_told(tmp_path: Path, scale: float) -> None:
    rng = np.random.default_rng(0)
    rows = scale * rng.normal(size=(1600, 4))
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)])
    model.compile("adam", "mse", jit_compile=False)
    model.fit(rows, rows.sum(axis=1), batch_size=8, verbose=0)
    (found,) = recorded(spec_of(model, tmp_path)).input_scales
    assert scale / 3 < found < 3 * scale


def test_an_input_whose_size_is_not_known_leaves_all_unknown(tmp_path: Path) -> None:
    inputs = [keras.Input((4,)), keras.Input((4,))]
    known = layers.Dense(2)(inputs[0])
    hidden = layers.Dense(2, use_bias=False)(inputs[1])
    model = keras.Model(inputs, layers.Dense(1)(layers.Add()([known, hidden])))
    model.compile("adam", "mse", jit_compile=False)
    rows = np.random.default_rng(0).normal(size=(1600, 4))
    model.fit([rows, rows], rows.sum(axis=1), batch_size=8, verbose=0)
    assert recorded(spec_of(model, tmp_path)).input_scales == ()

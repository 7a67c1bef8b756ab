from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from analyzers.rules.training.unsuitable_optimizer import UnsuitableOptimizer
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = UnsuitableOptimizer()


def compiled(optimizer: Any, *, depth: int = 2, recurrent: bool = False) -> keras.Model:
    body: list[layers.Layer] = [layers.LSTM(4)] if recurrent else []
    body += [layers.Dense(8, "relu") for _ in range(depth)]
    model = keras.Sequential([keras.Input((5, 3) if recurrent else (3,)), *body, layers.Dense(2)])
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize(
    "optimizer",
    [
        "adadelta",
        keras.optimizers.SGD(0.01, momentum=0.995),
        keras.optimizers.Adam(1e-3, epsilon=100.0),
        keras.optimizers.Adam(1e-3, beta_1=0.999),
        keras.optimizers.Nadam(1e-3, beta_2=0.5),
    ],
)
def test_settings_that_cannot_work(optimizer: Any, tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(compiled(optimizer), tmp_path))
    assert (finding.severity, finding.certain) == ("warning", False)


def test_plain_sgd_on_deep_and_recurrent_networks(tmp_path: Path) -> None:
    for model in (compiled("sgd", depth=12), compiled("sgd", recurrent=True)):
        (finding,) = findings(RULE, spec_of(model, tmp_path))
        assert "without momentum" in finding.explanation


@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd",
        keras.optimizers.Adadelta(1.0),
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.optimizers.Adam(1e-3),
        keras.optimizers.Adam(2e-4, beta_1=0.0, beta_2=0.9),
        keras.optimizers.Adam(1e-3, epsilon=0.1),
    ],
)
def test_settings_in_use(optimizer: Any, tmp_path: Path) -> None:
    assert findings(RULE, spec_of(compiled(optimizer), tmp_path)) == []


def test_without_an_optimizer(tmp_path: Path) -> None:
    spec = spec_of(compiled("sgd"), tmp_path)
    assert spec.training is not None
    assert "names no optimizer" in reason(
        RULE, replace(spec, training=replace(spec.training, optimizer=None))
    )

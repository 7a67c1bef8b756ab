from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.training.learning_rate_too_high import LearningRateTooHigh
from analyzers.spec import ModelSpec
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = LearningRateTooHigh()


def spec(
    path: Path, optimizer: keras.optimizers.Optimizer, depth: int = 2, *, normalized: bool = False
) -> ModelSpec:
    inputs = x = keras.Input((8,))
    for _ in range(depth):
        x = layers.Dense(8, activation="relu")(x)
        x = layers.BatchNormalization()(x) if normalized else x
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.compile(optimizer=optimizer, loss="mse")
    return spec_of(model, path)


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Adam(0.1),
        keras.optimizers.RMSprop(0.05),
        keras.optimizers.SGD(10.0),
        keras.optimizers.SGD(1.0, momentum=0.9),
        keras.optimizers.Adagrad(1.0),
    ],
    ids=lambda optimizer: str(optimizer.name),
)
def test_rates_beyond_the_usual_range(optimizer: keras.optimizers.Optimizer, tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec(tmp_path, optimizer))
    assert (finding.severity, finding.certain) == ("error", False)
    assert finding.evidence["times_the_limit"] > 1


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Adam(1e-3),
        keras.optimizers.Adam(1e-2),
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.optimizers.SGD(0.5),
        keras.optimizers.Adadelta(1.0),
        keras.optimizers.RMSprop(1e-3),
    ],
    ids=lambda optimizer: str(optimizer.name),
)
def test_usual_rates_pass(optimizer: keras.optimizers.Optimizer, tmp_path: Path) -> None:
    assert findings(RULE, spec(tmp_path, optimizer)) == []


def test_deep_plain_networks_stand_less(tmp_path: Path) -> None:
    (strong,) = findings(RULE, spec(tmp_path, keras.optimizers.SGD(0.1, momentum=0.9), depth=12))
    (weak,) = findings(RULE, spec(tmp_path, keras.optimizers.Adam(1e-3), depth=12))
    assert strong.confidence > 0.5 > weak.confidence
    assert "13 weighted layers" in strong.explanation
    assert findings(RULE, spec(tmp_path, keras.optimizers.Adam(1e-4), depth=12)) == []
    assert findings(RULE, spec(tmp_path, keras.optimizers.SGD(0.01, momentum=0.9), depth=12)) == []


def test_deep_normalised_networks_stand_more(tmp_path: Path) -> None:
    sgd, adam = keras.optimizers.SGD(0.1, momentum=0.9), keras.optimizers.Adam(1e-3)
    assert findings(RULE, spec(tmp_path, sgd, depth=12, normalized=True)) == []
    assert findings(RULE, spec(tmp_path, adam, depth=12, normalized=True)) == []


def test_steps_taken_are_told(tmp_path: Path) -> None:
    before = spec(tmp_path, keras.optimizers.Adam(0.1))
    assert before.training is not None
    after = replace(before, training=replace(before.training, steps_taken=500))
    (finding,) = findings(RULE, after)
    assert "After 500 steps this is the rate at the run's end" in finding.explanation


def test_nothing_to_compare(tmp_path: Path) -> None:
    known = spec(tmp_path, keras.optimizers.Adam(0.1))
    assert known.training is not None
    assert "optimizer" in reason(RULE, replace(known, training=replace(known.training, optimizer=None)))
    assert "rate" in reason(RULE, replace(known, training=replace(known.training, learning_rate=None)))

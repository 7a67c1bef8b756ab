from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.training.learning_rate_too_low import LearningRateTooLow
from analyzers.spec import ModelSpec
from tests.rules.apply import findings
from tests.support import spec_of

RULE = LearningRateTooLow()


def spec(path: Path, optimizer: keras.optimizers.Optimizer, steps: int | None = None) -> ModelSpec:
    model = keras.Sequential([keras.Input((8,)), layers.Dense(2)])
    model.compile(optimizer=optimizer, loss="mse")
    read = spec_of(model, path)
    assert read.training is not None
    return replace(read, training=replace(read.training, steps_taken=steps))


@pytest.mark.parametrize(
    "optimizer",
    [keras.optimizers.Adam(1e-8), keras.optimizers.SGD(1e-8, momentum=0.9), keras.optimizers.Adadelta(1e-3)],
    ids=lambda optimizer: str(optimizer.name),
)
def test_rates_below_the_usual_range(optimizer: keras.optimizers.Optimizer, tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec(tmp_path, optimizer))
    assert (finding.severity, finding.certain) == ("error", False)


@pytest.mark.parametrize(
    "optimizer",
    [keras.optimizers.Adam(1e-5), keras.optimizers.SGD(1e-4), keras.optimizers.Lion(1e-5)],
    ids=lambda optimizer: str(optimizer.name),
)
def test_fine_tuning_rates_pass(optimizer: keras.optimizers.Optimizer, tmp_path: Path) -> None:
    assert findings(RULE, spec(tmp_path, optimizer)) == []


def test_zero_is_certain_before_training_and_information_after(tmp_path: Path) -> None:
    (never,) = findings(RULE, spec(tmp_path, keras.optimizers.SGD(0.0)))
    assert never.certain
    (after,) = findings(RULE, spec(tmp_path, keras.optimizers.SGD(0.0), steps=100))
    assert (after.certain, after.severity) == (False, "info")


def test_the_end_of_a_run_is_no_cause(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec(tmp_path, keras.optimizers.Adam(1e-7), steps=5000))
    assert finding.severity == "info"
    assert "no cause by itself" in finding.explanation

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers
from keras.optimizers import schedules

from analyzers.rules.training.learning_rate_collapsed import LearningRateCollapsed
from analyzers.spec import ModelSpec, ObjectSpec
from analyzers.spec.learning_rates import rate_at
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = LearningRateCollapsed()


def spec(rate: Any, path: Path, **state: Any) -> ModelSpec:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.compile(keras.optimizers.Adam(rate), "mse")
    made = spec_of(model, path)
    assert made.training is not None
    return replace(made, training=replace(made.training, **state))


def test_a_schedule_that_ends_before_learning_begins(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec(schedules.CosineDecay(1e-3, 50), tmp_path))
    assert (finding.severity, finding.evidence["schedule"]) == ("warning", "CosineDecay")


def test_a_schedule_that_is_worth_a_few_steps_in_all_is_certain_before_the_run(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec(schedules.ExponentialDecay(1e-2, 1, 0.9), tmp_path))
    assert finding.certain
    assert finding.evidence["worth"] == pytest.approx(10, rel=1e-3)
    assert "worth 10 at the full rate" in finding.explanation
    (ended,) = findings(RULE, spec(schedules.ExponentialDecay(1e-2, 1, 0.9), tmp_path, steps_taken=900))
    (longer,) = findings(RULE, spec(schedules.CosineDecay(1e-3, 300), tmp_path))
    assert not ended.certain
    assert not longer.certain


def test_a_rate_far_below_the_configured_one(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec(1e-2, tmp_path, steps_taken=900, rate_in_force=1e-5))
    assert finding.severity == "warning"


def test_far_below_the_usual_one_is_information(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec(1e-6, tmp_path, steps_taken=900, rate_in_force=1e-6))
    assert finding.severity == "info"


def test_rates_and_schedules_of_a_whole_run(tmp_path: Path) -> None:
    assert findings(RULE, spec(schedules.ExponentialDecay(1e-2, 1000, 0.5), tmp_path)) == []
    assert findings(RULE, spec(1e-3, tmp_path, steps_taken=900, rate_in_force=1e-4)) == []


def test_fresh_files(tmp_path: Path) -> None:
    assert "no steps were taken" in reason(RULE, spec(1e-6, tmp_path, rate_in_force=1e-6, steps_taken=0))


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.ExponentialDecay(0.1, 30, 0.5, staircase=True),
        schedules.InverseTimeDecay(0.1, 20, 0.5),
        schedules.PolynomialDecay(0.1, 70, 0.01, power=2.0),
        schedules.PolynomialDecay(0.1, 70, 0.01, cycle=True),
        schedules.CosineDecay(0.0, 80, 0.1, warmup_target=0.1, warmup_steps=20),
        schedules.PiecewiseConstantDecay([10, 60], [0.1, 0.05, 0.01]),
    ],
)
def test_the_formulas_are_keras_s(schedule: Any) -> None:
    spec = ObjectSpec(type(schedule).__name__, schedule.get_config())
    for step in (1, 10, 45, 100, 150):
        assert rate_at(spec, step) == pytest.approx(float(schedule(step)), rel=1e-5, abs=1e-8)

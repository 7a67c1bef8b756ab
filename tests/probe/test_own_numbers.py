"""A trained regression is asked for numbers like its own answers."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers import diagnose
from analyzers.options import Options
from analyzers.probe.feeds import feeds_of
from analyzers.probe.own_numbers import in_units, own_numbers
from analyzers.probe.targets import make_targets, on_numbers
from analyzers.probe.task import Numbers
from analyzers.report import Report
from analyzers.spec import ObjectSpec
from analyzers.spec.graph import Graph
from tests.probe.graphs import classifier, training
from tests.support import saved

FEATURES = 6
OPTIONS = Options(budget_s=30, input_range="standardized")


def _spread(mean: float, std: float, units: int = 1) -> np.ndarray:
    return np.random.default_rng(0).normal(mean, std, (4000, units)).astype(np.float32)


@pytest.mark.parametrize(("mean", "std"), [(0, 1), (2, 4), (0, 0.01), (0, 0)])
def test_answers_near_mean_0_and_deviation_1_have_no_scale_of_their_own(mean: float, std: float) -> None:
    assert own_numbers(_spread(mean, std)) is None


@pytest.mark.parametrize(("mean", "std"), [(150, 60), (-2e5, 1e5), (0, 50), (290, 8)])
def test_the_scale_of_other_answers_is_their_own(mean: float, std: float) -> None:
    found = own_numbers(_spread(mean, std))
    assert found is not None
    assert (found.mean[0], found.std[0]) == pytest.approx((mean, std), rel=0.05, abs=3)


def test_a_constant_answer_does_not_tell_how_far_apart_the_numbers_lie() -> None:
    found = own_numbers(_spread(150, 0))
    assert found is not None
    assert (found.mean[0], found.std[0]) == pytest.approx((150, 75))


def test_a_recorded_error_tells_where_the_numbers_are() -> None:
    found = own_numbers(_spread(1000, 100), np.array([-9000.0]))
    assert found is not None
    assert (found.mean[0], found.std[0]) == pytest.approx((10_000, 4500), rel=0.05)
    near = own_numbers(_spread(1000, 100), np.array([20.0]))
    assert near is not None
    assert near.mean[0] == pytest.approx(1000, rel=0.05)


def test_numbers_that_are_not_finite_tell_nothing() -> None:
    assert own_numbers(np.full((8, 1), np.nan, np.float32)) is None


def test_chance_is_the_variance_on_the_scale_that_is_asked() -> None:
    spec = classifier(2, "linear", training(ObjectSpec("MeanSquaredError")))
    standard = make_targets(spec, feeds_of(Graph(spec)), Options(), "standardized")
    asked = on_numbers(standard, {0: Numbers((100.0, -5.0), (30.0, 2.0))}, "standardized", 0)
    answers = asked.task(0).answers(4000, "standardized", 0)[0]

    assert answers.mean(axis=0) == pytest.approx([100, -5], rel=0.05)
    assert answers.std(axis=0) == pytest.approx([30, 2], rel=0.1)
    assert asked.chance == pytest.approx((900 + 4) / 2, rel=0.15)
    assert in_units(asked) == "mean -5 to 100, standard deviation 2 to 30"


def _trained(folder: Path, targets_mean: float, targets_std: float, epochs: int) -> Path:
    """A regression trained by plain Keras on numbers of this scale."""
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(512, FEATURES)).astype(np.float32)
    numbers = targets_mean + targets_std * np.tanh(rows @ rng.normal(size=(FEATURES, 1)))
    model = keras.Sequential(
        [keras.Input((FEATURES,)), *(layers.Dense(32, "relu") for _ in range(2)), layers.Dense(1)]
    )
    model.compile("adam", "mse", jit_compile=False)
    model.fit(rows, numbers, batch_size=32, epochs=epochs, verbose=0)
    return saved(model, folder)


@pytest.mark.parametrize("scale", [(150, 60), (0, 1)])
def test_a_regression_that_was_trained_well_converges(tmp_path: Path, scale: tuple[float, float]) -> None:
    report = diagnose(_trained(tmp_path, *scale, epochs=60), Options(budget_s=30))
    assert report.verdict == "converges"
    assert any("its input was on a usual scale" in said for said in report.assumptions)
    assert report.probe is not None
    assert report.probe.runs[0].weights == "saved"
    assert _assumes_own(report) == (scale[0] > 0)


def test_one_that_never_came_near_its_numbers_wants_them_scaled(tmp_path: Path) -> None:
    report = diagnose(_trained(tmp_path, 2e5, 1e5, epochs=10), OPTIONS)
    assert report.verdict == "conditional"
    assert "the numbers that it is to predict are scaled" in report.summary
    assert "scale the targets" in report.conditions[0]
    assert report.fix is not None
    assert report.fix.verified
    (change,) = report.fix.changes
    assert change.intervention == "rescale-outputs"
    assert change.settings["offset"] == pytest.approx(2e5, rel=0.5)
    assert "Rescaling(" in report.fix.code
    assert _assumes_own(report)


def _assumes_own(report: Report) -> bool:
    return any("like those" in said or "the trained model answers" in said for said in report.assumptions)

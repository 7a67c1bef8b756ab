"""The pieces of ``benchmarks.agreement``: what is measured of a training, the criterion, the tables."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from analyzers.report import RunVerdict, Verdict
from benchmarks import real_training, reality
from benchmarks.agreement import Compared, alarms, calibration, chosen, confusion, report, shares
from benchmarks.forking import forked
from benchmarks.real_training import (
    Reading,
    constant_errors,
    encoded,
    errors,
    loaded,
    readings,
    sources,
    train,
)
from benchmarks.shares import counted, wilson
from tests.reports.factory import report as some_report
from tests.support import saved
from tests.zoo.tasks import TASK_MODELS
from tests.zoo.tasks.task_model import KINDS, Fault, TaskModel, compiled, sequential, sgd

LOOKS = 20


def test_errors_of_classes_decisions_and_values() -> None:
    rows = np.array([[0.1, 0.9], [0.8, 0.2]])
    assert errors(rows, np.array([1, 1]), "class", 0.5).tolist() == [0, 1]
    assert errors(rows, np.array([[0, 1], [0, 1]]), "yes-no", 0.5).tolist() == [0, 1]
    assert errors(rows, np.array([[-1, 1], [1, 1]]), "yes-no", 0.0).tolist() == [0.5, 0]
    assert errors(rows, rows - np.array([[1.0], [2.0]]), "value", 0.5).tolist() == pytest.approx([1, 4])


def test_outputs_that_are_no_numbers_are_infinitely_wrong() -> None:
    rows = np.array([[math.nan, 0.0], [1.0, 0.0]])
    assert errors(rows, np.array([0, 0]), "class", 0.5).tolist() == [math.inf, 0]


def test_the_best_constant_is_chosen_for_each_place() -> None:
    assert constant_errors(np.array([2, 2, 0]), "class").tolist() == [0, 0, 1]
    assert constant_errors(np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]), "yes-no").tolist() == [0, 0.5, 0]
    assert constant_errors(np.array([[0.0], [2.0]]), "value").tolist() == [1, 1]


@pytest.mark.parametrize(
    ("loss", "reading"),
    [
        ("sparse_categorical_crossentropy", Reading(sparse=True, signs=False, threshold=0.5)),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), Reading(sparse=True, signs=False, threshold=0.0)),
        ("binary_crossentropy", Reading(sparse=False, signs=False, threshold=0.5)),
        (keras.losses.BinaryCrossentropy(from_logits=True), Reading(sparse=False, signs=False, threshold=0.0)),
        ("hinge", Reading(sparse=False, signs=True, threshold=0.0)),
        ("mse", Reading(sparse=False, signs=False, threshold=0.5)),
    ],
)  # fmt: skip
def test_a_loss_says_how_an_output_is_read(loss: Any, reading: Reading, tmp_path: Path) -> None:
    model = compiled(sequential((2,), keras.layers.Dense(2)), loss)
    assert readings(model) == readings(loaded(saved(model, tmp_path))) == [reading]


def test_targets_take_the_form_that_the_loss_takes() -> None:
    plain, signs = (
        Reading(sparse=False, signs=False, threshold=0.5),
        Reading(sparse=False, signs=True, threshold=0),
    )
    assert encoded(np.array([0, 2]), "class", plain).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert encoded(np.array([0, 2]), "class", Reading(sparse=True, signs=False, threshold=0)).tolist() == [
        0,
        2,
    ]
    assert encoded(np.array([[0.0], [1.0]]), "yes-no", signs).tolist() == [[-1], [1]]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_training, "PERIOD", 30)
    monkeypatch.setattr(real_training, "PERIODS", 4)


@pytest.mark.usefixtures("short")
def test_a_training_is_measured_and_repeats_itself(tmp_path: Path) -> None:
    path = saved(TASK_MODELS["yes-no-logistic"].build(), tmp_path)
    result, again = (train(path, "cancer", seed=0) for _ in range(2))
    del result["seconds"], again["seconds"]
    assert result == again
    assert len(result["loss"]) == len(result["risk"]) == 4
    assert result["loss"][-1] < result["loss"][0]
    assert result["risk"][-1][0] < 0.3 * result["chance"][0]
    assert result["gain"][0] == pytest.approx(result["chance"][0] - result["risk"][-1][0])
    assert result["gain"][0] > 3 * result["gain_error"][0] > 0


@pytest.mark.usefixtures("short")
def test_a_training_that_explodes_ends_at_once(tmp_path: Path) -> None:
    model = compiled(sequential((10,), keras.layers.Dense(8), keras.layers.Dense(1)), "mse", sgd(1e6))
    result = train(saved(model, tmp_path), "diabetes", seed=0)
    assert result["loss"] == [None]
    assert reality.outcome(result, (0.6,)) == "diverged"


FORKS = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
"""Python 3.12 and later warn of threads, TensorFlow's here; these children use none."""


@FORKS
def test_a_forked_process_keeps_what_it_found(tmp_path: Path) -> None:
    here = os.getpid()
    found = forked(lambda: {"other": os.getpid() != here}, tmp_path / "new" / "result.json", 60)
    assert found == json.loads((tmp_path / "new" / "result.json").read_text()) == {"other": True}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["result.json"]


def _hang() -> dict[str, Any]:
    time.sleep(600)
    return {}


@FORKS
def test_a_forked_process_that_fails_or_hangs_leaves_no_result(tmp_path: Path) -> None:
    assert forked(lambda: os._exit(3), tmp_path / "result.json", 60) == {"failure": "exit code 3"}
    assert "not done" in forked(_hang, tmp_path / "result.json", 0.5)["failure"]
    assert not (tmp_path / "result.json").exists()


def test_a_digest_of_sources_tells_models_apart() -> None:
    first, second = (TASK_MODELS[name] for name in ("image-plain", "image-normalized"))
    assert sources(first) == sources(first) != sources(second)


def result(places: list[float], losses: list[float] | None = None, *, error: float = 0.01) -> dict[str, Any]:
    """A training of one output with chance 1 and attainable 0."""
    return {
        "loss": losses or [1.0 - number / 100 for number in range(len(places))],
        "risk": [[place] for place in places],
        "chance": [1.0],
        "gain": [1 - places[-1]],
        "gain_error": [error],
    }


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        ("learnt", result([1.0, 0.6, 0.4] + [0.2] * 17)),
        ("slow", result([1.0] * 12 + [0.4] * 8)),
        ("slow", result([0.8] * LOOKS)),
        ("stuck", result([0.8] * LOOKS, error=0.1)),
        ("stuck", result([0.97] * LOOKS)),
        ("stuck", result([3.0 - 0.1 * number for number in range(LOOKS)])),
        ("stuck", result([1.0] * LOOKS)),
        ("diverged", result([1.0] * LOOKS, [1.0] * 19 + [6.0])),
        ("unstable", result([0.4] * 10 + [1.0] * 10, [0.5] * 10 + [2.0] * 10)),
        ("learnt", result([0.4] * 10 + [0.7] * 10)),
    ],
)
def test_outcomes(expected: RunVerdict, given: dict[str, Any]) -> None:
    assert reality.outcome(given, (0.0,)) == expected


def test_a_loss_or_an_error_that_is_no_number_is_divergence() -> None:
    lost, wrong = result([1.0, 1.0]), result([1.0, 1.0])
    lost["loss"][-1], wrong["risk"][-1] = None, [None]
    assert reality.outcome(lost, (0.0,)) == reality.outcome(wrong, (0.0,)) == "diverged"


def test_the_worst_output_and_what_can_be_attained_count() -> None:
    given = {"risk": [[0.2, 0.6], [None, 0.5]], "chance": [1.0, 1.0]}
    assert reality.scaled(given, (0.0, 0.5)) == pytest.approx([0.2, math.inf])
    assert reality.scaled(given, (0.0, 0.2)) == pytest.approx([0.5, math.inf])


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (("learnt",), "learnt"),
        (("learnt", "slow", "learnt"), "learnt"),
        (("learnt", "slow"), "slow"),
        (("learnt", "stuck", "learnt"), "unstable"),
        (("stuck", "diverged", "stuck"), "stuck"),
    ],
)
def test_seeds_are_settled(outcomes: tuple[RunVerdict, ...], expected: RunVerdict) -> None:
    assert reality.settled(outcomes) == expected


def test_more_seeds_are_asked_for_near_the_line() -> None:
    assert reality.close(result([1.0] * 19 + [0.45]), (0.0,))
    assert not reality.close(result([0.1] * LOOKS), (0.0,))


def compared(
    real: RunVerdict, verdict: Verdict, fault: Fault | None = None, confidence: float = 0.9
) -> Compared:
    model = TaskModel("some", "tokens", "characters", keras.Sequential, fault)
    said = some_report("converges").model_copy(update={"verdict": verdict, "confidence": confidence})
    return Compared(model, (real,), 0.5, said)


@pytest.mark.parametrize(
    ("real", "verdict", "right", "exact"),
    [
        ("learnt", "converges", True, True),
        ("learnt", "conditional", True, True),
        ("learnt", "slow", True, False),
        ("learnt", "stuck", False, False),
        ("slow", "stuck", False, False),
        ("stuck", "cannot_train", True, True),
        ("stuck", "diverges", True, False),
        ("unstable", "unstable", True, True),
        ("diverged", "converges", False, False),
    ],
)
def test_right_and_exactly_right(real: RunVerdict, verdict: Verdict, right: bool, exact: bool) -> None:
    one = compared(real, verdict)
    assert (one.right, one.exact) == (right, exact)


def test_a_condition_answers_a_fault_that_only_the_data_show() -> None:
    assert compared("stuck", "conditional", Fault("raw", "strong", in_file=False)).right
    assert not compared("stuck", "conditional", Fault("rate", "strong")).right


def test_tables_count() -> None:
    several = [
        compared("learnt", "converges"),
        compared("learnt", "stuck", confidence=0.8),
        compared("stuck", "stuck", Fault("rate", "strong")),
        compared("stuck", "inconclusive", Fault("rate", "strong"), confidence=0.6),
    ]
    assert "| stuck | 1 |  |  | 1 |  |" in confusion(several)
    assert "| tokens | 4 | 3 | 2/3 =" in shares(several, "kind", lambda one: one.model.kind, KINDS)
    assert calibration(several).splitlines()[2:] == [
        f"| 0.90 | {counted(2, 2)} | {counted(2, 2)} |",
        f"| 0.80 | {counted(0, 1)} | {counted(0, 1)} |",
    ]
    train, false = alarms(several)
    assert (train, false) == (several[:2], [several[1]])
    text = report(several)
    assert text.count("WRONG") == 2  # once among the wrong ones, once among all
    assert "called bad: 1/2 =" in text


def test_the_interval_is_wilson_s() -> None:
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert wilson(0, 0) == (0, 1)


def test_models_are_chosen_by_name_or_kind() -> None:
    assert len(list(chosen(""))) == len(TASK_MODELS)
    assert {model.kind for model in chosen("tokens,volumes-rate")} == {"tokens", "volumes"}

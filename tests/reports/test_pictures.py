from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import analyzers.probe
from analyzers.report import Verdict
from app.reports import charts, formats, pictures
from tests.reports import factory


def test_the_pair_compared_has_the_same_data() -> None:
    original, fixed = pictures.main_runs(factory.report("stuck"))
    assert original is not None
    assert fixed is not None
    assert (original.seed, original.weights, original.input_scale) == (
        fixed.seed,
        fixed.weights,
        fixed.input_scale,
    )
    assert (original.verdict, fixed.verdict) == ("stuck", "learnt")


def test_without_a_fix_the_deciding_verdict_is_drawn() -> None:
    original, fixed = pictures.main_runs(factory.report("conditional"))
    assert original is not None
    assert original.verdict == "learnt"
    assert fixed is None


OTHERS: list[dict[str, Any]] = [
    {"label": "control model", "learning_rate": 0.003},
    {"label": "at 10 times its rate", "learning_rate": 0.1},
    {"label": "with a warmed-up rate and clipped gradients"},
]
"""Runs without interventions that are not of the model as it is."""


@pytest.mark.parametrize("change", OTHERS, ids=lambda change: change["label"])
def test_other_runs_are_not_drawn_as_the_model(change: dict[str, Any]) -> None:
    report = factory.report("conditional")
    assert report.probe is not None
    other = report.probe.runs[0].model_copy(update=change)
    probe = report.probe.model_copy(update={"runs": [*report.probe.runs[:2], other]})
    picture = pictures.loss_picture(report.model_copy(update={"probe": probe}))
    assert picture is not None
    assert [curve.label for curve in picture.curves] == [run.label for run in report.probe.runs[:2]]


def test_a_control_alone_is_no_picture() -> None:
    report = factory.report("conditional")
    assert report.probe is not None
    control = report.probe.runs[0].model_copy(update=OTHERS[0])
    alone = report.model_copy(update={"probe": report.probe.model_copy(update={"runs": [control]})})
    assert pictures.loss_picture(alone) is None
    assert pictures.gradient_picture(alone) is None


def test_the_engine_labels_these_runs_so() -> None:
    source = (Path(analyzers.probe.__path__[0]) / "session.py").read_text(encoding="utf-8")
    assert all(f'"{label}"' in source for label in pictures.NOT_THE_MODEL)


@pytest.mark.parametrize("verdict", ["inconclusive", "cannot_train"])
def test_no_probe_no_pictures(verdict: Verdict) -> None:
    report = factory.report(verdict)
    assert pictures.loss_picture(report) is None
    assert pictures.gradient_picture(report) is None


def test_only_a_rising_loss_gets_a_logarithmic_axis() -> None:
    stuck, diverging = (pictures.loss_picture(factory.report(one)) for one in ("stuck", "diverges"))
    assert stuck is not None
    assert diverging is not None
    assert not stuck.logarithmic
    assert diverging.logarithmic


def test_gradients_lie_between_the_ends_of_the_axis() -> None:
    picture = pictures.gradient_picture(factory.report("stuck"))
    assert picture is not None
    positions = [picture.position(row.original) for row in picture.rows]
    assert positions == sorted(positions, key=lambda value: value or 0.0)
    assert all(value is not None and 0 < value < 100 for value in positions)
    assert picture.position(0.0) == 0.0
    assert picture.position(None) is None


def test_a_gap_in_a_curve_is_not_drawn() -> None:
    picture = pictures.loss_picture(factory.report("diverges"))
    assert picture is not None
    main = next(curve for curve in picture.curves if curve.role == "original" and curve.main)
    assert None in main.loss
    drawn = charts.loss_chart(picture)
    assert "nan" not in drawn.lower()
    assert drawn.count("<polyline") == len(picture.curves)


def test_a_sparkline_marks_what_is_not_a_number() -> None:
    assert pictures.sparkline([0.0, 0.5, 1.0, None], 4, 0.0, 1.0) == "▁▅█" + pictures.NOT_A_NUMBER
    assert pictures.sparkline([], 4, 0.0, 1.0) == ""


def test_the_map_marks_the_models_own_rate_and_what_was_not_run() -> None:
    report = factory.regression()
    assert report.model.learning_rate == 0.01
    picture = pictures.trainability_picture(report)
    assert picture is not None
    assert picture.table == [
        ("Learning rate", "standardised input", "features in units of their own"),
        ("0.001", "learned", "not run"),
        ("0.01 (its own)", "diverged", "diverged"),
    ]
    assert [row.own for row in picture.rows] == [False, True]


def test_a_rate_is_its_own_also_where_the_file_keeps_it_in_single_precision() -> None:
    report = factory.report("stuck")
    model = report.model.model_copy(update={"learning_rate": 0.009999999776482582})
    picture = pictures.trainability_picture(report.model_copy(update={"model": model}))
    assert picture is not None
    assert [row.own for row in picture.rows] == [False, True]


@pytest.mark.parametrize(
    "change",
    [
        {"verdicts": [["learnt"], ["stuck"]]},
        {"verdicts": [["learnt", "stuck"]]},
        {"verdicts": [["learnt", "stuck"], ["learnt", "perhaps"]]},
        {"learning_rates": [0.1, None]},
    ],
)
def test_a_map_of_another_form_is_left_out(change: dict[str, Any]) -> None:
    report = factory.report("stuck")
    assert report.trainability_map is not None
    broken = report.model_copy(update={"trainability_map": report.trainability_map | change})
    assert pictures.trainability_picture(broken) is None
    assert formats.render(broken, "html")


@pytest.mark.parametrize("verdict", ["converges", "inconclusive"])
def test_no_map_no_picture_of_it(verdict: Verdict) -> None:
    assert pictures.trainability_picture(factory.report(verdict)) is None

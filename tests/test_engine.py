"""Whole diagnoses through the engine: a sick model gets a verified fix, a healthy one a clean report."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from analyzers import diagnose, engine
from analyzers.errors import InputError
from analyzers.options import Options
from analyzers.progress import Progress
from analyzers.registry import RULES
from analyzers.report import Report
from tests.probe.models import CLASSES, image_task, normalized, plain
from tests.support import saved

pytestmark = pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
"""Keras says so of every model that was compiled and not trained."""

OPTIONS = Options(budget_s=60, input_range="standardized")
SICK = "d1a9"


@dataclass
class Diagnosed:
    """A report with what was written beside it."""

    file: Path
    report: Report
    repaired: Path
    told: list[Progress]


def _examine(file: Path, folder: Path, options: Options, name: str) -> Diagnosed:
    directory = folder / name
    directory.mkdir()
    told: list[Progress] = []
    engine.read(file, directory, progress=told.append)
    repaired = folder / f"{name}.keras"
    report = engine.examine(directory, options, report_id=name, progress=told.append, repaired=repaired)
    return Diagnosed(file, report, repaired, told)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def sick_file(folder: Path) -> Path:
    """A plain network at a hundred times the rate that suits it."""
    return saved(plain(keras.optimizers.Adam(0.3)), folder)


@pytest.fixture(scope="module")
def sick(folder: Path, sick_file: Path) -> Diagnosed:
    return _examine(sick_file, folder, OPTIONS, SICK)


@pytest.fixture(scope="module")
def healthy(folder: Path) -> Diagnosed:
    return _examine(saved(normalized(), folder), folder, OPTIONS, "healthy")


def test_the_sick_model_is_stuck_and_its_cause_is_confirmed(sick: Diagnosed) -> None:
    report = sick.report
    assert report.verdict == "stuck"
    assert report.summary.startswith("This model does not learn: with Adam at 0.3 its loss is ")
    assert "3 of 3 unseen seeds" in report.summary
    confirmed = {one.rule for one in report.findings if one.status == "confirmed"}
    assert "learning-rate-too-high" in confirmed
    assert confirmed & {"loss-stuck-at-chance", "constant-output-collapse"}
    assert not report.incomplete


def test_its_fix_is_verified_on_three_unseen_seeds(sick: Diagnosed) -> None:
    fix = sick.report.fix
    assert fix is not None
    assert fix.verified
    assert fix.proof.model_dump() == {"seeds": [100, 101, 102], "cured": 3, "original_failed": 3}
    (change,) = fix.changes
    assert change.intervention == "lower-learning-rate"
    assert change.settings == {"learning_rate": pytest.approx(0.001)}
    assert (fix.before.verdict, fix.after.verdict) == ("stuck", "learnt")
    assert fix.after.accuracy is not None
    assert fix.before.accuracy is not None
    assert fix.after.accuracy > fix.before.accuracy
    assert fix.repaired_model == f"/v1/diagnoses/{SICK}/repaired-model"
    assert ["lower-learning-rate"] in [one.interventions for one in fix.tried]
    assert "lower-learning-rate" not in fix.not_needed


def test_the_proofs_seeds_are_not_the_searchs(sick: Diagnosed) -> None:
    assert sick.report.probe is not None
    runs = sick.report.probe.runs
    proof = [run for run in runs if run.seed in (100, 101, 102)]
    assert len(proof) == 6
    assert {run.seed for run in runs if run not in proof} <= {0, 1}


def test_the_repaired_model_loads_in_plain_keras_and_trains(sick: Diagnosed) -> None:
    model = keras.saving.load_model(sick.repaired)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)
    original = keras.saving.load_model(sick.file)
    assert [layer.name for layer in model.layers] == [layer.name for layer in original.layers]

    (images,), (labels,) = image_task((12, 12, 3), CLASSES, 5).batch(256, "standardized", 0)
    history = model.fit(images, np.eye(CLASSES)[labels], epochs=10, batch_size=16, verbose=0).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]


def test_the_fixs_program_builds_the_repaired_model(sick: Diagnosed, tmp_path: Path) -> None:
    fix = sick.report.fix
    assert fix is not None
    assert "# <-- changed" in fix.code
    assert "0.001" in fix.diff
    file = tmp_path / "fixed.py"
    file.write_text(fix.code)

    made = runpy.run_path(str(file))["build_model"]()

    repaired = keras.saving.load_model(sick.repaired)
    assert _graph(made) == _graph(repaired)
    assert type(made.optimizer) is type(repaired.optimizer)
    assert float(made.optimizer.learning_rate) == pytest.approx(float(repaired.optimizer.learning_rate))


def _graph(model: keras.Model) -> list[dict[str, Any]]:
    """Class and settings of every layer, seeds apart."""

    def without_seeds(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_seeds(item) for key, item in value.items() if key != "seed"}
        return [without_seeds(item) for item in value] if isinstance(value, list | tuple) else value

    return [{"class": type(one).__name__, **without_seeds(one.get_config())} for one in model.layers]


def test_reports_are_strict_json_and_read_back(sick: Diagnosed, healthy: Diagnosed) -> None:
    for report in (sick.report, healthy.report):
        json.dumps(report.model_dump(mode="json"), allow_nan=False)
        assert Report.model_validate_json(report.model_dump_json()) == report


def test_every_rule_has_an_outcome_and_none_failed(sick: Diagnosed, healthy: Diagnosed) -> None:
    for report in (sick.report, healthy.report):
        assert {check.rule for check in report.checks} == set(RULES)
        assert [check for check in report.checks if check.outcome == "error"] == []
        for check in report.checks:
            assert (check.outcome == "not_applicable") == (check.reason is not None), check


def test_a_healthy_model_converges_without_error_or_fix(healthy: Diagnosed) -> None:
    report = healthy.report
    assert report.verdict == "converges"
    assert report.fix is None
    assert not healthy.repaired.exists()
    assert [one.rule for one in report.findings if one.severity == "error" and one.status != "refuted"] == []
    assert report.summary.startswith("This model learns: with Adam at 0.003 its loss fell from ")
    assert {signal.layer for signal in report.signals} >= {"conv1", "norm1", "head"}
    assert report.probe is not None
    assert report.probe.control_accuracy is not None
    assert report.probe.control_accuracy > 1 / CLASSES


def test_progress_never_falls_and_names_every_stage(sick: Diagnosed) -> None:
    fractions = [one.fraction for one in sick.told]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] <= fractions[-1] <= 1
    stages = list(dict.fromkeys(one.stage for one in sick.told))
    assert [stage for stage in stages if stage != "fixing"] == [
        "reading", "rules", "building", "probing", "proving", "reporting",
    ]  # fmt: skip


def test_the_same_file_gives_the_same_report(sick: Diagnosed, folder: Path) -> None:
    again = _examine(sick.file, folder, OPTIONS, "again")

    def body(report: Report) -> dict[str, Any]:
        left = report.model_dump(exclude={"id", "created_at", "timings"})
        left["fix"]["repaired_model"] = None
        return left

    assert body(again.report) == body(sick.report)
    one, other = (keras.saving.load_model(each.repaired) for each in (sick, again))
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_senders_word_replaces_the_files(sick_file: Path, folder: Path) -> None:
    directory = folder / "overridden"
    directory.mkdir()
    spec = engine.read(sick_file, directory)
    said = engine.overridden(spec, Options(learning_rate=0.01, loss="mse", optimizer="sgd"))

    assert spec.training is not None
    assert said.training is not None
    assert (said.training.learning_rate, said.training.rate_in_force) == (0.01, None)
    assert said.training.optimizer is not None
    assert said.training.optimizer.kind == "SGD"
    assert [loss and loss.kind for loss in said.training.losses] == ["MeanSquaredError"]
    assert engine.overridden(spec, Options()) is spec
    with pytest.raises(InputError) as refused:
        engine.overridden(spec, Options(loss="my_loss"))
    assert refused.value.code == "unknown-option"


def test_a_model_over_the_memory_is_refused(sick_file: Path, folder: Path) -> None:
    directory = folder / "small"
    directory.mkdir()
    engine.read(sick_file, directory)
    with pytest.raises(InputError) as refused:
        engine.examine(directory, OPTIONS, memory_bytes=1000)
    assert refused.value.code == "model-too-large"


def test_the_library_diagnoses_a_file_in_one_call(sick_file: Path) -> None:
    read = diagnose(sick_file, Options(probe="off"))
    assert (read.verdict, read.probe, read.fix) == ("inconclusive", None, None)
    assert [check for check in read.checks if check.outcome == "error"] == []
    assert "learning-rate-too-high" in {one.rule for one in read.findings}
    assert diagnose(str(sick_file), OPTIONS.model_copy(update={"learning_rate": 0.01})).verdict == "converges"


def test_a_model_that_has_no_task_gets_the_rules_alone_and_the_reason(folder: Path) -> None:
    inputs = keras.Input((), dtype="int32", name="count")
    row = keras.layers.Reshape((1,), name="row")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="head")(row))
    model.compile("adam", "categorical_crossentropy")

    report = diagnose(saved(model, folder))

    assert report.verdict == "inconclusive"
    assert "that no Embedding reads" in report.summary
    reasons = {check.rule: check.reason for check in report.checks}
    assert reasons["loss-stuck-at-chance"] is not None
    assert "that no Embedding reads" in reasons["loss-stuck-at-chance"]


def test_where_nothing_can_be_trained_the_verdict_is_settled_without_a_run(folder: Path) -> None:
    model = plain()
    model.trainable = False
    model.compile("adam", "categorical_crossentropy")

    report = diagnose(saved(model, folder))

    assert (report.verdict, report.probe) == ("cannot_train", None)
    assert report.findings[0].rule == "frozen-random-layers"


def test_of_broken_weights_it_is_shown_that_fresh_ones_learn(folder: Path) -> None:
    model = plain()
    weights = model.get_layer("conv2").get_weights()
    weights[0][0] = np.nan
    model.get_layer("conv2").set_weights(weights)

    report = diagnose(saved(model, folder))

    assert report.verdict == "cannot_train"
    assert report.findings[0].rule == "non-finite-weights"
    assert report.findings[0].status == "confirmed"
    assert report.probe is not None
    assert {(run.weights, run.verdict) for run in report.probe.runs if not run.interventions} >= {
        ("saved", "diverged"),
        ("fresh", "learnt"),
    }
    assert report.fix is not None
    assert [change.intervention for change in report.fix.changes] == ["reinitialize-dead-layers"]
    assert report.fix.verified


def test_reading_and_judging_imports_neither_keras_nor_tensorflow(sick_file: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from analyzers.engine import read_and_judge\n"
        "from analyzers.options import Options\n"
        "report = read_and_judge(Path(sys.argv[1]), Options(probe='off'))\n"
        "found = {name.partition('.')[0] for name in sys.modules} & {'keras', 'tensorflow', 'tf_keras'}\n"
        "print(report.verdict, len(report.checks), sorted(found))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(sick_file)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split("\n")[-2] == f"inconclusive {len(RULES)} []"

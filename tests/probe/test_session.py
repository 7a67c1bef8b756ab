"""The whole probe of one file: which runs are made, and what cannot be probed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from analyzers.interventions.fix_loss import FixLoss
from analyzers.interventions.lower_learning_rate import LowerLearningRate
from analyzers.options import Options
from analyzers.probe.evidence import MEMORIZED, ProbeEvidence, Run
from analyzers.probe.feeds import NotProbedError
from analyzers.probe.runner import Setting
from analyzers.probe.session import STANDARD_TARGETS, ProbeSession
from analyzers.progress import Progress, silent
from analyzers.report import RunVerdict
from analyzers.spec import ModelSpec, ObjectSpec
from tests.probe.graphs import chain, classifier, training
from tests.probe.models import CLASSES, GIGABYTE, compiled, normalized, patient_session, plain, setting
from tests.rules.probe.factory import run
from tests.support import spec_of


def _session(spec: ModelSpec, progress: Any = silent, **options: Any) -> ProbeSession:
    return patient_session(spec, Options(**options), budget_s=20, progress=progress)


def test_a_healthy_model_learns_on_every_scale_and_so_does_the_control(tmp_path: Path) -> None:
    told: list[Progress] = []
    found = _session(spec_of(normalized(), tmp_path), told.append).evidence()

    assert found.control.verdict == "learnt"
    assert [run.input_scale for run in found.runs[:2]] == ["standardized", "raw"]
    assert {run.verdict for run in found.runs} == {"learnt"}
    assert found.decision is found.runs[0]
    assert found.decision.weights == "fresh"
    assert found.classes_used == CLASSES
    assert found.task == f"tell 4 classes of synthetic images apart (12x12x3, {found.batch_size} a step, every sample new)"  # fmt: skip
    assert not found.cut
    assert [one.fraction for one in told] == sorted(one.fraction for one in told)


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> ProbeSession:
    model = plain(keras.optimizers.Adam(0.3))
    session = _session(spec_of(model, tmp_path_factory.mktemp("session")), input_range="standardized")
    session.found = session.evidence()  # type: ignore[attr-defined] # shared by the tests below
    return session


@pytest.mark.parametrize(
    ("rate", "tried"), [(1e-4, [1e-3, 1e-2]), (1e-3, [1e-2]), (1e-6, [1e-5, 1e-4, 1e-3]), (0.3, [])]
)
def test_a_stuck_model_is_tried_at_higher_rates_unless_its_own_is_too_high(
    rate: float, tried: list[float]
) -> None:
    session = _session(classifier(4, "softmax", training(learning_rate=rate)))
    assert [higher for _, higher in session._higher_rates(1e-3)] == pytest.approx(tried)


def test_a_stuck_model_is_run_at_its_rate(sick: ProbeSession) -> None:
    runs = sick.found.runs  # type: ignore[attr-defined]
    assert [(run.verdict, run.learning_rate) for run in runs] == [("stuck", pytest.approx(0.3))]


def test_an_attempt_on_the_rate_alone_reuses_the_compiled_graph(sick: ProbeSession) -> None:
    applied = LowerLearningRate().apply(sick.spec)
    assert applied is not None
    run = sick.attempt(applied.spec, "lower-learning-rate", frozenset(), keeps_graph=True, own_numbers=False)
    assert run(setting(learning_rate=0.03, steps=30)).verdict == "learnt"
    assert sick._trial(own=False).compiled._step.experimental_get_tracing_count() == 1


def test_another_start_is_asked_only_where_the_failure_is_not_clear(sick: ProbeSession) -> None:
    found: ProbeEvidence = sick.found  # type: ignore[attr-defined]
    clear = replace(found, runs=found.runs[:1])
    disputed = replace(found, runs=(found.runs[0], replace(found.runs[0], verdict="learnt")))
    good = replace(found, runs=(replace(found.runs[0], verdict="learnt"), found.runs[0]))

    assert sick.another_start(clear) is clear
    assert sick.another_start(good) is good
    more = sick.another_start(disputed).runs
    assert (len(more), more[-1].seed, more[-1].learning_rate) == (3, 1, found.runs[0].learning_rate)


def test_an_attempt_at_another_loss_trains_with_it() -> None:
    session = _session(classifier(4, "softmax", training(ObjectSpec("MeanSquaredError"))))
    applied = FixLoss().apply(session.spec)
    assert applied is not None
    session.attempt(applied.spec, "fix-loss", frozenset(), keeps_graph=False, own_numbers=False)
    assert session._latest is not None
    assert session._latest[1].targets.heads[0].loss.kind == "CategoricalCrossentropy"


def test_seeds_of_a_diagnosis_follow_from_the_senders(sick: ProbeSession) -> None:
    assert [sick.seed(0), sick.seed(100)] == [0, 100]
    assert {run.seed for run in sick.found.runs} <= {0, 1}  # type: ignore[attr-defined]


def test_what_was_assumed_is_said() -> None:
    custom = training(ObjectSpec("MyLoss"), optimizer=None, learning_rate=None)
    said = _session(classifier(4, "softmax", custom)).assumptions
    assert said == (
        "MyLoss is not one of Keras's losses: CategoricalCrossentropy was used for output 0.",
        "The file names no optimizer: Adam at 0.001 was used.",
    )


def test_the_rate_in_force_is_that_of_the_optimizers_state_unless_a_schedule_moved_it() -> None:
    schedule = ObjectSpec("CosineDecay")
    at = {
        "file": training(learning_rate=0.01),
        "state": training(learning_rate=0.01, rate_in_force=1e-6, steps_taken=500),
        "schedule": training(learning_rate=0.01, rate_in_force=1e-6, schedule=schedule),
        "nothing": training(learning_rate=None, optimizer=ObjectSpec("SGD", {"momentum": 0.9})),
    }
    rates = {name: _session(classifier(4, "softmax", one)).rate for name, one in at.items()}
    assert rates == pytest.approx({"file": 0.01, "state": 1e-6, "schedule": 0.01, "nothing": 0.001})


def test_saved_weights_decide_once_the_model_was_trained() -> None:
    assert _session(classifier(4, "softmax", training(steps_taken=100))).weights == "saved"
    assert _session(classifier(4, "softmax", training(steps_taken=0))).weights == "fresh"


def test_the_hard_deadline_cuts_the_probe_and_says_so(tmp_path: Path) -> None:
    session = _session(spec_of(normalized(), tmp_path))
    original = session.watch.tick

    def late(loss: float | None = None, count: int = 1) -> None:
        session.watch._deadline = 0.0 if session._runs else session.watch._deadline
        original(loss, count)

    session.watch.tick = late  # type: ignore[method-assign] # the clock strikes after the first run
    found = session.evidence()
    assert found.cut
    assert len(found.runs) == 1


def _two_inputs() -> keras.Model:
    inputs = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    x = layers.Flatten()(layers.Add()(inputs))
    return compiled(keras.Model(inputs, layers.Dense(3, activation="softmax")(x)))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (
            chain([("head", "Dense", {"units": 3})], (None, 4), dtype="int32"),
            "numbers that no Embedding reads",
        ),
        (chain([("pool", "GlobalAveragePooling2D", {})]), "nothing to train"),
        (classifier(front=[("mine", "MyLayer", {})]), "cannot be built"),
    ],
    ids=["whole numbers", "no weights", "custom layer"],
)
def test_what_has_no_task_is_refused_with_the_reason(spec: ModelSpec, reason: str) -> None:
    with pytest.raises(NotProbedError, match=reason):
        _session(spec)


def test_several_inputs_are_probed_together(tmp_path: Path) -> None:
    session = _session(spec_of(_two_inputs(), tmp_path))
    layout = session.targets.layout
    assert [feed.shape for feed in layout.feeds] == [(8, 8, 3), (8, 8, 3)]
    assert layout.joint == "sum"


def test_a_stuck_model_is_trained_blind_and_on_one_batch(sick: ProbeSession) -> None:
    found: ProbeEvidence = sick.found  # type: ignore[attr-defined]
    explained = sick.failure_explained(found)
    assert explained.runs == found.runs
    assert explained.blind is not None
    assert explained.memorized is not None
    model, control = explained.memorized
    assert len(explained.blind.loss) <= len(found.decision.loss)
    assert (model.learning_rate, model.seed) == (found.decision.learning_rate, found.decision.seed)
    assert model.judged[-1] > MEMORIZED > control.judged[-1]


def test_a_failure_is_explained_only_where_it_is_one_and_there_are_steps_to_spare(
    sick: ProbeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: ProbeEvidence = sick.found  # type: ignore[attr-defined]
    good = replace(found, runs=(replace(found.runs[0], verdict="learnt"),))
    assert sick.failure_explained(good) is good
    monkeypatch.setattr(sick.watch, "_total", sick.watch.steps)
    assert sick.failure_explained(found) is found


def test_more_starts_get_as_many_steps_as_the_longest_and_no_more() -> None:
    session = _session(classifier(4, "softmax", training()))
    asked: list[Setting] = []

    def late(setting: Setting) -> Run:
        asked.append(setting)
        steps = setting.steps * (3 if setting.extend else 1)
        session._runs.append(run("learnt", loss=(1.0,) * steps))
        return session._runs[-1]

    session._run = late  # type: ignore[method-assign] # a model that learns at the very end of each run
    first = setting(steps=session.plan.steps)
    late(first)
    session._confirm(first)
    assert [len(run.loss) for run in session._runs] == [3 * session.plan.steps] * 3


@pytest.mark.parametrize(("first", "steps"), [("learnt", 3), ("slow", 1), ("stuck", 1)])
def test_another_scale_is_asked_as_long_as_the_first_took_to_learn(first: RunVerdict, steps: int) -> None:
    session = _session(classifier(4, "softmax", training()))
    asked: list[Setting] = []

    def late(setting: Setting) -> Run:
        asked.append(setting)
        session._runs.append(run(first, loss=(1.0,) * 3 * session.plan.steps))
        return session._runs[-1]

    session._run = late  # type: ignore[method-assign] # a model that needs all that its first run may take
    session._examine()
    assert [one.scale for one in asked[:2]] == ["standardized", "raw"]
    assert [one.steps for one in asked[:2]] == [session.plan.steps, steps * session.plan.steps]
    assert asked[1].extend is (steps == 1)


def test_a_rate_above_all_its_optimizer_is_used_with_has_to_last() -> None:
    momentum = training(optimizer=ObjectSpec("SGD", {"momentum": 0.999}), learning_rate=0.1)
    assert _session(classifier(4, "softmax", momentum)).above_all_rates
    assert not _session(classifier(4, "softmax", training(learning_rate=1e-3))).above_all_rates


def _with_a_hard_output(tmp_path: Path) -> ProbeSession:
    """A session on a model of two outputs, whose control learns the first alone."""
    inputs = keras.Input((12, 12, 3), name="image")
    x = layers.Flatten(name="flatten")(layers.Conv2D(8, 3, strides=2, activation="relu", name="conv")(inputs))
    names = ("easy", "hard")
    outputs = [layers.Dense(CLASSES, activation="softmax", name=name)(x) for name in names]
    model = keras.Model(inputs, outputs, name="two")
    model.compile(keras.optimizers.Adam(3e-3), ["categorical_crossentropy"] * 2)
    session = _session(spec_of(model, tmp_path), input_range="standardized")
    control_run = session._control_run

    def failing(number: int) -> Run:
        if session.targets.set_aside:
            return control_run(number)
        return run("stuck", by_output={"output_0": 0.1, "output_1": 1.0})

    session._control_run = failing  # type: ignore[method-assign]
    return session


def test_an_output_that_the_control_does_not_learn_is_set_aside_and_that_is_said(tmp_path: Path) -> None:
    session = _with_a_hard_output(tmp_path)
    found = session.evidence()

    assert session.targets.counted == (0,)
    assert found.control.verdict == "learnt"
    assert {one.verdict for one in found.runs} == {"learnt"}
    assert any("Output 'hard' was not judged" in said for said in session.assumptions)


def test_a_control_that_learns_no_output_sets_none_aside(tmp_path: Path) -> None:
    session = _with_a_hard_output(tmp_path)
    fails = run("stuck", by_output={"output_0": 1.0, "output_1": 1.0})
    session._control_run = lambda number: fails  # type: ignore[method-assign]
    assert session.evidence().control.verdict == "stuck"
    assert session.targets.counted == (0, 1)


def test_an_output_that_is_not_trained_is_named_with_the_reason(tmp_path: Path) -> None:
    inputs = keras.Input((6,), name="table")
    x = layers.Dense(8, activation="relu", name="hidden")(inputs)
    model = keras.Model(inputs, [layers.Dense(3, name="told")(x), layers.Dense(3, name="idle")(x)])
    model.compile("adam", ["mse", None])
    session = _session(spec_of(model, tmp_path))
    assert session.assumptions == (
        STANDARD_TARGETS,
        "Output 'idle' was not trained: the file gives it no loss.",
    )


def test_the_scale_of_the_numbers_to_predict_is_said_unless_it_is_known(tmp_path: Path) -> None:
    inputs = keras.Input((6,), name="table")
    hidden = layers.Dense(8, activation="relu")(inputs)
    spec = {
        last: spec_of(
            compiled(keras.Model(inputs, layers.Dense(1, activation=last)(hidden)), loss="mse"), tmp_path
        )
        for last in ("linear", "sigmoid")
    }
    assert _session(spec["linear"]).assumptions == (STANDARD_TARGETS,)
    assert _session(spec["linear"], target_range=(0.0, 500.0)).assumptions == ()
    assert _session(spec["sigmoid"]).assumptions == ()


def test_broken_weights_decide_though_no_step_was_taken(tmp_path: Path) -> None:
    spec = spec_of(plain(), tmp_path)
    made = {
        broken: ProbeSession(
            spec, Options(), budget_s=20, memory_bytes=GIGABYTE, progress=silent, broken=broken
        ).weights
        for broken in (False, True)
    }
    assert made == {False: "fresh", True: "saved"}

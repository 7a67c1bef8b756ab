"""When a suspicion is confirmed, refuted, or left open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzers.diagnosis.attempts import SearchResult
from analyzers.diagnosis.weighing import CONFIRMED_CONFIDENCE, REFUTED_CONFIDENCE, weigh
from analyzers.probe.evidence import InputScale, ProbeEvidence, Run
from analyzers.report import RunVerdict
from analyzers.rule import Finding
from tests.diagnosis.factory import attempt, finding, search
from tests.rules.probe.factory import LAYERS, evidence, learnt, run, snapshot

RATE = finding("learning-rate-too-high")
SCALE = finding("missing-input-normalization", "warning")
NORM = "add-batch-normalization"


def _updates(ratio: float, verdict: RunVerdict = "stuck") -> Run:
    made = learnt() if verdict == "learnt" else run()
    return replace(made, update_ratios={path: (ratio,) * len(made.loss) for path in LAYERS})


STUCK = evidence(_updates(0.3))


def _one(of: Finding, found: ProbeEvidence | None, done: SearchResult | None = None) -> Finding:
    (weighed,) = weigh([of], found, done)
    return weighed


def test_a_certain_finding_is_confirmed_as_it_stands() -> None:
    certain = replace(RATE, certain=True, confidence=0.99)
    for found in (None, STUCK):
        assert _one(certain, found) == replace(certain, status="confirmed")


def test_what_the_real_run_recorded_is_confirmed_until_a_probe_knows_better() -> None:
    recorded = replace(SCALE, recorded=True)
    for found in (None, replace(STUCK, runs=())):
        weighed = _one(recorded, found)
        assert (weighed.status, weighed.severity) == ("confirmed", "warning")
    assert _one(recorded, evidence(learnt(scale="raw"), learnt())).status == "refuted"


def test_a_specific_cure_that_moved_what_it_names_confirms() -> None:
    cure = attempt("lower-learning-rate", made=_updates(0.03, "learnt"))
    weighed = _one(RATE, STUCK, search(cure))
    assert (weighed.status, weighed.severity) == ("confirmed", "error")
    assert weighed.confidence == CONFIRMED_CONFIDENCE


def test_a_specific_cure_that_moved_nothing_confirms_nothing() -> None:
    cure = attempt("lower-learning-rate", made=_updates(0.3, "learnt"))
    assert _one(RATE, STUCK, search(cure)).status == "suspected"


def test_a_specific_change_within_the_smallest_cure_confirms() -> None:
    pair = attempt("lower-learning-rate", NORM, made=_updates(0.03, "learnt"))
    alone = attempt("lower-learning-rate", made=_updates(0.03))
    assert _one(RATE, STUCK, search(alone, pair, fix=pair)).status == "confirmed"


def test_a_specific_change_that_did_not_cure_refutes() -> None:
    weighed = _one(RATE, STUCK, search(attempt("lower-learning-rate", made=_updates(0.03))))
    assert (weighed.status, weighed.confidence) == ("refuted", REFUTED_CONFIDENCE)


def test_what_is_wrong_despite_learning_stays_a_warning_and_is_confirmed_by_its_cure() -> None:
    loss = finding("output-loss-mismatch", despite_learning=True)
    assert _one(loss, evidence(learnt())).status == "suspected"
    assert _one(loss, evidence(learnt())).severity == "warning"
    assert _one(replace(loss, despite_learning=False), evidence(learnt())).status == "refuted"
    failed = search(attempt("fix-loss", made=run()))
    assert _one(loss, evidence(run()), failed).status == "suspected"
    assert _one(replace(loss, despite_learning=False), evidence(run()), failed).status == "refuted"
    cure = learnt(end=snapshot(output_spread=50.0))
    cured = search(attempt("fix-loss", made=cure))
    assert _one(loss, evidence(run()), cured).status == "confirmed"


def test_another_cure_settles_nothing() -> None:
    """BatchNormalization cures almost everything, so its cure names no cause."""
    weighed = _one(RATE, STUCK, search(attempt(NORM), fix=attempt(NORM)))
    assert (weighed.status, weighed.severity) == ("suspected", "warning")


def test_a_suspicion_that_nothing_settled_is_a_step_less_severe_and_not_too_sure() -> None:
    sure = replace(RATE, confidence=0.99)
    assert _one(sure, None).severity == "warning"
    assert _one(sure, None).confidence == CONFIRMED_CONFIDENCE
    assert _one(replace(sure, severity="warning"), STUCK).severity == "info"


def test_a_model_that_learnt_refutes_a_cause_of_not_learning() -> None:
    assert _one(RATE, evidence(learnt())).status == "refuted"


def test_learning_in_training_mode_says_nothing_of_inference() -> None:
    lag = finding("batch-normalization-lag", "warning")
    assert _one(lag, evidence(learnt())).status == "suspected"


def _scales(*runs: tuple[InputScale, RunVerdict]) -> ProbeEvidence:
    return evidence(*(run(verdict, scale=scale) for scale, verdict in runs))


@pytest.mark.parametrize(
    ("natural", "raw", "status"),
    [
        ("learnt", "stuck", "confirmed"),
        ("learnt", "learnt", "refuted"),
        ("stuck", "diverged", "refuted"),
        ("stuck", "learnt", "suspected"),
    ],
)
def test_runs_on_two_scales_settle_a_finding_about_scale(
    natural: RunVerdict, raw: RunVerdict, status: str
) -> None:
    assert _one(SCALE, _scales(("standardized", natural), ("raw", raw))).status == status


def test_on_one_scale_only_a_cure_settles_it() -> None:
    stuck, cure = _scales(("raw", "stuck")), run("learnt", scale="raw")
    before = replace(stuck.runs[0].start, activation_rms=dict.fromkeys(LAYERS, 120.0))
    stuck = replace(stuck, runs=(replace(stuck.runs[0], start=before),))
    assert _one(SCALE, stuck).status == "suspected"
    assert _one(SCALE, stuck, search(attempt("rescale-inputs", made=cure))).status == "confirmed"


def test_runs_at_another_seed_or_rate_are_not_taken_for_another_scale() -> None:
    found = evidence(learnt(), run(scale="raw", seed=9), run(scale="raw", learning_rate=1.0))
    assert _one(SCALE, found).status == "suspected"


def test_confirmed_before_suspected_before_refuted_and_causes_before_symptoms() -> None:
    symptom = finding("loss-stuck-at-chance", certain=True)
    proof = finding("non-finite-weights", certain=True)
    initializer = finding("initializer-activation-mismatch", "warning")
    tried = attempt("he-initialization", made=run())

    order = weigh([initializer, symptom, RATE, proof], STUCK, search(tried))

    assert [one.rule for one in order] == [
        "non-finite-weights", "loss-stuck-at-chance", "learning-rate-too-high",
        "initializer-activation-mismatch",
    ]  # fmt: skip
    assert [one.status for one in order] == ["confirmed", "confirmed", "suspected", "refuted"]


def test_learning_refutes_only_where_every_random_start_learnt() -> None:
    assert _one(RATE, evidence(learnt(), learnt(seed=2))).status == "refuted"
    assert _one(RATE, evidence(learnt(), run("unstable", seed=2))).status == "suspected"
    assert _one(RATE, evidence(learnt(), run(learning_rate=0.5))).status == "refuted"

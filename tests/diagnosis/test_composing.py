"""The whole report out of what each stage handed over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from analyzers.diagnosis.attempts import SearchResult
from analyzers.diagnosis.checking import RuleResults
from analyzers.diagnosis.composing import Diagnosis, compose, model_summary
from analyzers.diagnosis.fixing import fix_report
from analyzers.diagnosis.static import static_report
from analyzers.diagnosis.verdict import judge
from analyzers.options import Options
from analyzers.probe.evidence import ProbeEvidence
from analyzers.report import Check, Report, Timings
from analyzers.rule import Finding
from analyzers.spec import ObjectSpec
from tests.diagnosis.factory import attempt, finding, proof, search, training
from tests.probe.graphs import classifier
from tests.probe.graphs import training as compiled
from tests.rules.probe.factory import chain, evidence, learnt, run

SPEC = replace(chain(), training=training())
TIMINGS = Timings(reading_s=0.1, rules_s=0.2, build_s=0.3, probe_s=0.4, total_s=1.0)
RATE = finding("learning-rate-too-high")
CHECKS = {
    "learning-rate-too-high": Check(rule="learning-rate-too-high", outcome="fail"),
    "loss-stuck-at-chance": Check(rule="loss-stuck-at-chance", outcome="pass"),
}


def _report(
    found: ProbeEvidence | None,
    findings: Sequence[Finding] = (),
    done: SearchResult | None = None,
    **more: Any,
) -> Report:
    results = RuleResults(list(findings), {**CHECKS, **more.pop("checks", {})})
    given: dict[str, Any] = {"options": Options(), "fix": None, "device": "cpu", "timings": TIMINGS, **more}
    made = Diagnosis(
        spec=SPEC, findings=findings, results=results, judgement=judge(findings, found, "no task"),
        evidence=found, search=done, **given,
    )  # fmt: skip
    return compose(made, "r1")


def test_a_report_holds_what_every_stage_said() -> None:
    made = _report(evidence(run()), [replace(RATE, status="confirmed")], search(), assumptions=("So.",))

    json.dumps(made.model_dump(mode="json"), allow_nan=False)
    assert (made.id, made.verdict, made.engine.device) == ("r1", "stuck", "cpu")
    assert made.timings == TIMINGS
    assert made.assumptions == ["So."]
    assert [one.rule for one in made.findings] == ["learning-rate-too-high"]
    assert made.probe is not None
    assert made.signals
    assert not made.incomplete


def test_a_refuted_finding_counts_as_passed() -> None:
    for status, outcome in (("refuted", "pass"), ("confirmed", "fail")):
        made = _report(evidence(learnt()), [replace(RATE, status=status)])  # type: ignore[arg-type] # literals
        assert {check.rule: check.outcome for check in made.checks}["learning-rate-too-high"] == outcome


def test_what_was_cut_short_or_failed_is_incomplete() -> None:
    assert not _report(evidence(run())).incomplete
    assert _report(evidence(run(), cut=True)).incomplete
    assert _report(evidence(run()), done=SearchResult(cut=True)).incomplete
    failed = {"broken": Check(rule="broken", outcome="error", reason="internal error: KeyError")}
    assert _report(evidence(run()), checks=failed).incomplete


def test_only_rules_that_exist_are_listed_as_ignored() -> None:
    options = Options(ignore=("learning-rate-too-high", "no-such-rule"))
    assert _report(evidence(run()), options=options).ignored == ["learning-rate-too-high"]


def test_without_runs_there_are_no_signals() -> None:
    made = _report(evidence())
    assert made.signals == []
    assert made.verdict == "inconclusive"
    assert _report(None).probe is None


@pytest.mark.parametrize(
    ("activation", "loss", "task", "kind"),
    [
        ("softmax", "CategoricalCrossentropy", "classification", "probabilities"),
        ("sigmoid", "BinaryCrossentropy", "classification", "probabilities"),
        ("linear", "MeanSquaredError", "regression", "values"),
        ("softmax", None, "classification", "probabilities"),
        ("linear", None, None, "logits"),
    ],
)
def test_the_model_is_summed_up(activation: str, loss: str | None, task: str | None, kind: str) -> None:
    spec = classifier(10, activation, compiled(ObjectSpec(loss) if loss else None, steps_taken=7))
    made = model_summary(spec)

    assert (made.task, made.loss, made.outputs[0].kind) == (task, loss, kind)
    assert (made.inputs[0].shape, made.inputs[0].kind) == ([16, 16, 3], "image")
    assert made.outputs[0].shape == [10]
    assert made.parameters == made.trainable_parameters == (27 * 8 + 8) + (8 * 10 + 10)
    assert (made.optimizer, made.learning_rate, made.steps_trained) == ("Adam", 1e-3, 7)


def test_logits_are_called_so_only_where_the_loss_takes_them() -> None:
    loss = ObjectSpec("CategoricalCrossentropy", {"from_logits": True})
    assert model_summary(classifier(10, "linear", compiled(loss))).outputs[0].kind == "logits"


def test_a_fix_is_told_with_its_proof_and_what_it_did_not_need() -> None:
    cure = attempt("lower-learning-rate")
    cure = replace(cure, applied=(replace(cure.applied[0], spec=SPEC, settings={"learning_rate": 0.03}),))
    other = attempt("he-initialization", made=run())
    found = evidence(run())

    made = fix_report(SPEC, found, search(other, cure, fix=cure, proved=proof(original=1)), "/repaired")

    assert made is not None
    assert not made.verified
    assert (made.proof.cured, made.proof.original_failed) == (3, 2)
    assert made.not_needed == ["he-initialization"]
    assert [one.interventions for one in made.tried] == [["he-initialization"], ["lower-learning-rate"]]
    assert (made.before.verdict, made.after.verdict) == ("stuck", "learnt")
    assert made.changes[0].settings == {"learning_rate": 0.03}
    assert "build_model" in made.code


def test_a_fix_without_proof_is_not_verified_and_no_cure_is_no_fix() -> None:
    cure = attempt("lower-learning-rate")
    made = fix_report(SPEC, evidence(run()), search(cure, fix=cure), None)
    assert made is not None
    assert not made.verified
    assert made.proof.seeds == []
    assert fix_report(SPEC, evidence(run()), search(attempt("leaky-relu", made=run())), None) is None


def test_without_training_the_rules_speak_and_probe_rules_say_why_not() -> None:
    made = static_report(SPEC, Options(), report_id="r2", reading_s=0.5, reason="the model has 2 inputs")
    outcomes = {check.rule: check for check in made.checks}

    assert made.verdict == "inconclusive"
    assert made.summary.startswith("Whether this model learns was not shown: the model has 2 inputs.")
    assert outcomes["loss-stuck-at-chance"].reason == "the model has 2 inputs"
    assert outcomes["learning-rate-too-high"].outcome == "warn"
    assert (made.probe, made.fix, made.signals) == (None, None, [])
    assert made.timings.reading_s == 0.5

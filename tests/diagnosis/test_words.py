"""The summary of every verdict, as a person reads it."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from syrupy.assertion import SnapshotAssertion

from analyzers.diagnosis.attempts import SearchResult
from analyzers.diagnosis.verdict import judge
from analyzers.diagnosis.words import summary
from analyzers.probe.evidence import ProbeEvidence
from analyzers.rule import Finding
from tests.diagnosis.factory import attempt, finding, proof, search, training
from tests.rules.probe.factory import FALLING, STUCK, chain, evidence, learnt, run, snapshot

SPEC = replace(chain(), training=training())
LOWER = attempt("lower-learning-rate")
TRIED = search(attempt("he-initialization", made=run()), attempt("lower-learning-rate", "he-initialization"))
CONTROL = learnt(label="control")
NAN = finding(
    "non-finite-weights", certain=True, title="Weights that are not numbers", fix="Go back to an older file."
)
RISK = finding("missing-input-normalization", "warning", title="Raw pixels reach the first layer")


def _words(
    found: ProbeEvidence | None, *findings: Finding, done: SearchResult | None = None, why: str | None = None
) -> str:
    return summary(SPEC, judge(findings, found, why), findings, found, done)


LEARNT = learnt(end=snapshot(training_loss=0.2))
EXPLODED = run("diverged", loss=(1.6, 40.0, math.inf))
SMALL = run(loss=(0.01354, 0.01131), end=snapshot(training_loss=0.01119))
SLOW = run("slow", extrapolated_steps=(420.0, 310.0, 680.0))

CASES = {
    "stuck-fixed": _words(evidence(run(), run(scale="raw")), done=search(LOWER, fix=LOWER, proved=proof())),
    "stuck-not-always": _words(evidence(run()), done=search(LOWER, fix=LOWER, proved=proof(original=2))),
    "stuck-unproved": _words(evidence(run()), done=search(LOWER, fix=LOWER)),
    "stuck-no-cure": _words(evidence(run()), done=TRIED),
    "stuck-cut": _words(replace(evidence(run()), cut=True)),
    "stuck-cut-late": _words(evidence(run()), done=replace(TRIED, cut=True)),
    "stuck-at-a-small-loss": _words(replace(evidence(SMALL), chance_loss=0.01123, classes_used=0)),
    "stuck-at-one-output": _words(evidence(run(by_output={"kind": 0.2, "age": 1.021}))),
    "diverges": _words(evidence(EXPLODED)),
    "conditional": _words(evidence(LEARNT, run(scale="raw"))),
    "conditional-no-cure": _words(evidence(LEARNT, run(scale="raw")), done=TRIED),
    "conditional-on-warm-up": _words(evidence(run(), learnt(warmed=True))),
    "slow": _words(evidence(SLOW)),
    "slow-at-its-rate": _words(evidence(run(), learnt(learning_rate=0.1))),
    "slow-no-cure": _words(evidence(SLOW), done=TRIED),
    "unstable": _words(evidence(LEARNT, run(seed=2))),
    "unstable-no-cure": _words(evidence(LEARNT, run(seed=2)), done=TRIED),
    "converges": _words(evidence(LEARNT, replace(LEARNT, input_scale="raw"))),
    "converges-with-a-risk": _words(evidence(LEARNT), RISK),
    "cannot-train": _words(None, NAN),
    "inconclusive": _words(None, why="the model has 2 inputs; the probe has tasks for one image"),
    "inconclusive-with-a-suspicion": _words(None, RISK, why="probe=off: the model was read, not trained"),
    "control-failed": _words(replace(evidence(), control=run())),
}


@pytest.mark.parametrize("case", CASES)
def test_the_summary_reads_well(case: str, snapshot: SnapshotAssertion) -> None:
    words = CASES[case]
    assert words == snapshot
    assert words[0].isupper()
    assert words.endswith(".")
    assert not re.search(r"  |None(?! of)|nan\b|inf\b|\.\.|[{}\[\]]", words)


def test_the_proof_of_failure_is_told_not_another_certain_error() -> None:
    mismatch = finding(
        "output-loss-mismatch", certain=True, title="A loss that does not fit", fix="Change it."
    )
    assert _words(None, mismatch, NAN) == CASES["cannot-train"]


def test_token_ids_have_no_scale() -> None:
    layers = list(SPEC.layers)
    at = next(index for index, layer in enumerate(layers) if layer.name == "d0")
    layers[at] = replace(layers[at], kind="Embedding", config={"input_dim": 100, "output_dim": 6})
    tokens = replace(SPEC, layers=tuple(layers))
    for found in (evidence(run()), evidence(EXPLODED), evidence(LEARNT)):
        words = summary(tokens, judge((), found), (), found, None)
        assert "input" not in words
        assert "standardised" in summary(SPEC, judge((), found), (), found, None)


def test_refuted_findings_are_no_risk() -> None:
    refuted = replace(RISK, status="refuted")
    assert "Raw" not in _words(evidence(LEARNT), refuted)
    assert "Raw" not in _words(None, refuted, why="probe=off")


def test_numbers_are_this_models_own() -> None:
    words = CASES["stuck-fixed"]
    assert f"{len(STUCK)} steps" in words
    assert f"in {len(FALLING)} steps" in words
    assert "Adam at 0.001" in words
    assert "1.609, that of guessing among 5 classes" in words
    assert "3 of 3 unseen seeds" in words


def test_a_loss_of_numbers_is_told_without_classes() -> None:
    words = _words(evidence(run(loss=(0.25,) * 40), classes_used=0, chance_loss=0.25))
    assert "0.25, that of the best constant answer" in words

from __future__ import annotations

from analyzers.rules.probe.constant_output_collapse import ConstantOutputCollapse
from tests.rules.probe.factory import evidence, findings, learnt, reason, run, snapshot

RULE = ConstantOutputCollapse()
CONSTANT = snapshot(output_spread=1e-6)


def test_outputs_that_became_constant() -> None:
    (finding,) = findings(RULE, evidence(run(end=CONSTANT)))
    assert finding.severity == "error"
    assert finding.evidence["constant_from_the_start"] is False
    assert "became so in 40 steps" in finding.explanation


def test_a_saved_state_that_was_constant_from_the_start() -> None:
    (finding,) = findings(RULE, evidence(run(start=CONSTANT, end=CONSTANT, weights="saved")))
    assert finding.evidence["constant_from_the_start"] is True
    assert "as saved" in finding.explanation


def test_the_silent_layer_is_named() -> None:
    end = snapshot(output_spread=0.0, dead_fraction={"d0": 0.0, "d1": 0.0, "d2": 1.0})
    (finding,) = findings(RULE, evidence(run(end=end)))
    assert finding.layers == ("d2",)


def test_outputs_that_vary_pass() -> None:
    assert findings(RULE, evidence(run())) == []


def test_small_differences_that_tell_the_classes_apart_pass() -> None:
    telling = snapshot(output_spread=5e-3, information_gain=0.6)
    assert findings(RULE, evidence(run("unstable", end=telling))) == []


def test_a_model_that_learnt_passes() -> None:
    assert findings(RULE, evidence(learnt(end=CONSTANT))) == []


def test_without_a_control_nothing_is_claimed() -> None:
    assert "control" in reason(RULE, evidence(run(), control=run()))

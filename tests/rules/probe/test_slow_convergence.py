from __future__ import annotations

import math

from analyzers.rules.probe.slow_convergence import SlowConvergence
from tests.rules.probe.factory import STEPS, evidence, findings, learnt, reason, run

RULE = SlowConvergence()


def test_far_more_steps_than_the_control() -> None:
    slow = run("slow", extrapolated_steps=(2000.0, 1500.0, math.inf))
    (finding,) = findings(RULE, evidence(slow))
    assert finding.severity == "warning"
    assert (finding.evidence["best"], finding.evidence["late"]) == (2000.0, None)
    assert "1.5e+03 to any number" in finding.explanation


def test_some_more_steps_are_information() -> None:
    (finding,) = findings(RULE, evidence(run("slow", extrapolated_steps=(90.0, 70.0, 120.0))))
    assert finding.severity == "info"


def test_a_rate_that_is_too_low() -> None:
    faster = learnt(learning_rate=0.01)
    (finding,) = findings(RULE, evidence(run(), faster))
    assert (finding.severity, finding.evidence["faster_rate"]) == ("warning", 0.01)


def test_the_end_of_a_schedule_is_no_fault() -> None:
    (finding,) = findings(RULE, evidence(run(weights="saved"), learnt(learning_rate=0.01, weights="saved")))
    assert finding.severity == "info"
    assert "schedule" in finding.explanation


def test_a_fall_that_cannot_be_drawn_on() -> None:
    (finding,) = findings(RULE, evidence(run("slow", loss=(1.5,) * (STEPS // 2))))
    assert "too slowly" in finding.explanation


def test_a_model_that_learnt_or_failed_passes() -> None:
    assert findings(RULE, evidence(learnt())) == []
    assert findings(RULE, evidence(run())) == []


def test_without_a_control_nothing_is_claimed() -> None:
    assert "control" in reason(RULE, evidence(run("slow"), control=run()))

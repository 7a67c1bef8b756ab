from __future__ import annotations

from analyzers.rules.probe.initialization_sensitivity import InitializationSensitivity
from tests.rules.probe.factory import evidence, findings, learnt, reason, run

RULE = InitializationSensitivity()


def test_learning_from_one_start_of_two() -> None:
    (finding,) = findings(RULE, evidence(learnt(), run(seed=2)))
    assert finding.severity == "warning"
    assert (finding.evidence["learnt"], finding.evidence["failed"]) == (1, 1)


def test_starts_that_agree_pass() -> None:
    assert findings(RULE, evidence(learnt(), learnt(seed=2))) == []
    assert findings(RULE, evidence(run(), run(seed=2))) == []


def test_slow_is_not_failing() -> None:
    assert findings(RULE, evidence(learnt(), run("slow", seed=2))) == []


def test_runs_that_differ_otherwise_are_not_compared() -> None:
    others = (run(seed=2, scale="raw"), run(seed=3, learning_rate=0.1), run(seed=4, weights="saved"))
    assert "one random start" in reason(RULE, evidence(learnt(), *others))


def test_it_abstains_on_saved_weights_and_without_control() -> None:
    saved = (learnt(weights="saved"), run(weights="saved", seed=2))
    assert "saved weights" in reason(RULE, evidence(*saved))
    assert "control" in reason(RULE, evidence(learnt(), run(seed=2), control=run()))

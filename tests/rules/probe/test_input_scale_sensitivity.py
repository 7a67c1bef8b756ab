from __future__ import annotations

from analyzers.rules.probe.input_scale_sensitivity import InputScaleSensitivity
from tests.rules.probe.factory import evidence, findings, learnt, reason, run

RULE = InputScaleSensitivity()


def test_learning_on_standardised_input_only() -> None:
    (finding,) = findings(RULE, evidence(learnt(), run(scale="raw")))
    assert finding.severity == "warning"
    assert (finding.evidence["learns_on"], finding.evidence["fails_on"]) == ("standardized", "raw")
    assert "Rescaling" in finding.fix


def test_features_are_not_scaled_like_pixels() -> None:
    (finding,) = findings(RULE, evidence(learnt(), run(scale="unscaled")))
    assert "Rescaling" not in finding.fix
    assert "adapted to the training data" in finding.fix
    assert "Of 1 run on standardised input 1 learnt" in finding.explanation


def test_learning_on_raw_input_only() -> None:
    (finding,) = findings(RULE, evidence(run(), learnt(scale="raw")))
    assert finding.evidence["learns_on"] == "raw"
    assert "0-255" in finding.fix


def test_one_seed_does_not_decide() -> None:
    runs = (learnt(), run(scale="raw"), learnt(scale="raw", seed=2))
    assert findings(RULE, evidence(*runs)) == []


def test_slow_is_not_failing() -> None:
    assert findings(RULE, evidence(learnt(), run("slow", scale="raw"))) == []


def test_learning_on_both_or_on_neither_passes() -> None:
    assert findings(RULE, evidence(learnt(), learnt(scale="raw"))) == []
    assert findings(RULE, evidence(run(), run(scale="raw"))) == []


def test_other_weights_and_rates_are_not_compared() -> None:
    others = (learnt(scale="raw", weights="saved"), learnt(scale="raw", learning_rate=1e-5))
    assert "only standardised input was tried" in reason(RULE, evidence(run(), *others))


def test_without_a_control_nothing_is_claimed() -> None:
    assert "control" in reason(RULE, evidence(learnt(), run(scale="raw"), control=run()))

from __future__ import annotations

from analyzers.rules.probe.cannot_overfit_small_batch import CannotOverfitSmallBatch
from tests.rules.probe.factory import evidence, findings, learnt, reason, run

RULE = CannotOverfitSmallBatch()
BY_HEART = learnt(judged=(1.0, 0.05))


def test_a_batch_that_the_control_alone_memorises() -> None:
    (finding,) = findings(RULE, evidence(run(), memorized=(run(), BY_HEART)))
    assert finding.severity == "error"
    assert finding.evidence["samples"] == 16
    assert finding.evidence["share_of_chance_of_control"] == 0.05
    assert (
        "came down to 100% of that of a constant answer; a plain control model came to 5% in 40"
        in finding.explanation
    )


def test_a_model_that_memorises_passes() -> None:
    assert findings(RULE, evidence(run(), memorized=(BY_HEART, BY_HEART))) == []


def test_a_batch_that_the_control_does_not_memorise_either_says_nothing() -> None:
    assert findings(RULE, evidence(run(), memorized=(run(), run()))) == []


def test_a_loss_that_is_lost_counts_as_not_memorised() -> None:
    lost = run("diverged", judged=(1.0, float("nan")))
    (finding,) = findings(RULE, evidence(run(), memorized=(lost, BY_HEART)))
    assert finding.severity == "error"


def test_it_abstains_where_nothing_was_memorised() -> None:
    assert "only a model that is stuck" in reason(RULE, evidence(learnt()))
    assert "control" in reason(RULE, evidence(run(), control=run()))

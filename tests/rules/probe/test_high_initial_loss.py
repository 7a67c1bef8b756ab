from __future__ import annotations

import math

from analyzers.rules.probe.high_initial_loss import HighInitialLoss
from tests.rules.probe.factory import FALLING, evidence, findings, learnt, reason, run

RULE = HighInitialLoss()
HIGH = (6.0, *FALLING)


def test_a_confident_start() -> None:
    (finding,) = findings(RULE, evidence(learnt(judged=HIGH)))
    assert (finding.severity, finding.evidence["over_chance"]) == ("info", 6.0)


def test_the_fresh_run_is_asked_where_saved_weights_decide() -> None:
    (finding,) = findings(RULE, evidence(run(weights="saved"), run(judged=HIGH)))
    assert finding.evidence["over_chance"] == 6.0


def test_a_start_at_chance_passes() -> None:
    assert findings(RULE, evidence(run())) == []


def test_a_first_loss_that_is_not_finite_is_left_to_another_rule() -> None:
    assert findings(RULE, evidence(run("diverged", loss=(math.nan,)))) == []


def test_it_abstains_without_fresh_weights_or_control() -> None:
    assert "no run from fresh weights" in reason(RULE, evidence(run(weights="saved", judged=HIGH)))
    assert "control" in reason(RULE, evidence(run(judged=HIGH), control=run()))

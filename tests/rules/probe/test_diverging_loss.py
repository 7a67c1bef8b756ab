from __future__ import annotations

import math

from analyzers.rules.probe.diverging_loss import DivergingLoss
from tests.rules.probe.factory import CHANCE, STEPS, evidence, findings, learnt, reason, run

RULE = DivergingLoss()


def test_a_loss_that_becomes_nan() -> None:
    loss = (CHANCE, 3.0, 20.0, math.nan, math.nan)
    (finding,) = findings(RULE, evidence(run("diverged", loss=loss)))
    assert finding.severity == "error"
    assert finding.evidence["not_finite_from_step"] == 3
    assert "from step 4 on" in finding.explanation


def test_a_loss_that_is_nan_from_the_first_step() -> None:
    (finding,) = findings(RULE, evidence(run("diverged", loss=(math.nan, math.inf))))
    assert finding.evidence["first_loss"] is None


def test_regularisation_that_is_not_finite() -> None:
    broken = (0.0,) * 9 + (math.inf,) * (STEPS - 9)
    (finding,) = findings(RULE, evidence(run("diverged", regularization=broken)))
    assert finding.evidence["not_finite_from_step"] == 9


def test_a_loss_that_runs_away() -> None:
    (finding,) = findings(RULE, evidence(run("diverged", loss=tuple(1.2**step for step in range(STEPS)))))
    assert finding.evidence["growth"] > 100
    assert "goes on rising" in finding.explanation


def test_a_loss_that_jumped_and_comes_down_passes() -> None:
    loss = tuple(CHANCE + 50 * 0.97**step * (step > 5) for step in range(STEPS))
    assert findings(RULE, evidence(run("unstable", loss=loss))) == []


def test_a_stuck_loss_passes() -> None:
    assert findings(RULE, evidence(run())) == []


def test_a_model_that_learnt_passes() -> None:
    assert findings(RULE, evidence(learnt())) == []


def test_it_abstains_without_control_or_steps() -> None:
    assert "control" in reason(RULE, evidence(run(), control=run()))
    assert "no step" in reason(RULE, evidence(run(loss=())))

from __future__ import annotations

import pytest

from analyzers.rules.probe.update_ratio_out_of_range import UpdateRatioOutOfRange
from tests.rules.probe.factory import LAYERS, STEPS, evidence, findings, learnt, reason, run

RULE = UpdateRatioOutOfRange()


def steps_of(*ratios: float) -> dict[str, tuple[float, ...]]:
    return {path: (ratio,) * STEPS for path, ratio in zip(LAYERS, ratios, strict=True)}


TINY = steps_of(1e-6, 1e-6, 1e-5, 1e-2)
HUGE = steps_of(0.5, 0.4, 0.01, 0.9)


@pytest.mark.parametrize("verdict", ["stuck", "slow", "unstable"])
def test_steps_far_too_small(verdict: str) -> None:
    (finding,) = findings(RULE, evidence(run(verdict, update_ratios=TINY)))  # type: ignore[arg-type]
    assert (finding.severity, finding.layers) == ("info", ("d0", "d1", "d2"))
    assert finding.evidence["decades"] < -5
    assert "Raise" in finding.fix


def test_a_stuck_model_that_learns_at_a_higher_rate_has_one_that_is_too_low() -> None:
    stuck, far = run(update_ratios=TINY), learnt(learning_rate=1.0)
    (finding,) = findings(RULE, evidence(stuck, far))
    assert (finding.severity, finding.evidence["learns_at"]) == ("error", 1.0)
    assert "learning rate of 1." in finding.fix
    (slow,) = findings(RULE, evidence(stuck, learnt(learning_rate=1e-2)))  # within reach: slow, not stuck
    assert slow.severity == "info"
    (large,) = findings(RULE, evidence(run(update_ratios=HUGE), far))
    assert large.severity == "info"


def test_steps_far_too_large() -> None:
    (finding,) = findings(RULE, evidence(run("diverged", update_ratios=HUGE)))
    assert finding.layers == ("d0", "d1", "head")
    assert "Lower" in finding.fix


def test_steps_in_range_pass() -> None:
    assert findings(RULE, evidence(run(update_ratios=steps_of(1e-6, 1e-3, 1e-3, 1e-2)))) == []


def test_a_model_that_learnt_passes_whatever_its_steps() -> None:
    assert findings(RULE, evidence(learnt(update_ratios=TINY))) == []
    assert findings(RULE, evidence(learnt(update_ratios=HUGE))) == []


def test_layers_that_stand_still_are_another_sickness() -> None:
    assert findings(RULE, evidence(run(update_ratios=steps_of(0, 0, 0, 1e-3)))) == []
    assert "no weighted layer moved" in reason(RULE, evidence(run(update_ratios=steps_of(0, 0, 0, 0))))


def test_without_a_control_nothing_is_claimed() -> None:
    assert "control" in reason(RULE, evidence(run(update_ratios=TINY), control=run()))

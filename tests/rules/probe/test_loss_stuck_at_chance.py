from __future__ import annotations

import math

from analyzers.rules.probe.loss_stuck_at_chance import LossStuckAtChance
from tests.rules.probe.factory import (
    CHANCE,
    LAYERS,
    STEPS,
    chain,
    evidence,
    findings,
    learnt,
    reason,
    run,
    snapshot,
)

RULE = LossStuckAtChance()


def test_the_number_is_named() -> None:
    (finding,) = findings(RULE, evidence(run()))
    assert finding.severity == "error"
    assert "1.6094 = ln 5" in finding.explanation
    assert "fresh weights, standardised input, learning rate 0.001" in finding.explanation
    assert finding.layers == ()


def test_ten_classes_give_ln_10() -> None:
    stuck = run(loss=(math.log(10),) * STEPS, judged=(1.0,) * STEPS)
    (finding,) = findings(RULE, evidence(stuck, classes_used=10, chance_loss=math.log(10)))
    assert "2.3026 = ln 10" in finding.explanation


def test_a_loss_of_numbers_is_compared_with_that_of_the_best_constant() -> None:
    stuck = run(loss=(0.25,) * STEPS, judged=(1.0,) * STEPS)
    (finding,) = findings(RULE, evidence(stuck, classes_used=0, chance_loss=0.25))
    assert "The best constant prediction gives 0.2500: next to nothing" in finding.explanation
    assert finding.evidence["chance_loss"] == 0.25


def test_the_layer_where_the_signal_dies_is_named() -> None:
    end = snapshot(dead_fraction={"d0": 0.1, "d1": 1.0, "d2": 1.0})
    (finding,) = findings(RULE, evidence(run(end=end)))
    assert finding.layers == ("d1",)
    assert "lost at d1: no unit is positive" in finding.explanation
    flat = snapshot(activation_std=dict.fromkeys(LAYERS, 0.7) | {"d2": 0.0})
    (finding,) = findings(RULE, evidence(run(end=flat)))
    assert finding.layers == ("d2",)


def test_a_silent_branch_is_not_where_the_signal_dies() -> None:
    end = snapshot(dead_fraction={"d0": 0.1, "d1": 1.0, "d2": 0.0})
    (finding,) = findings(RULE, evidence(run(end=end)), chain(skip=True))
    assert finding.layers == ()


def test_biases_that_learn_which_classes_occur_are_not_learning() -> None:
    outputs = 160
    loss = tuple(math.log(outputs) - 0.08 * step for step in range(STEPS))
    (finding,) = findings(RULE, evidence(run(loss=loss, judged=(1.0,) * STEPS)))
    assert finding.severity == "error"


def test_wandering_around_chance_counts() -> None:
    wandering = tuple(CHANCE + 0.05 + 0.09 * math.sin(3 * step) for step in range(STEPS))
    assert len(findings(RULE, evidence(run(loss=wandering)))) == 1


def test_a_loss_stuck_elsewhere_passes() -> None:
    assert findings(RULE, evidence(run(loss=(2.0,) * STEPS))) == []


def test_a_model_that_learnt_passes() -> None:
    assert findings(RULE, evidence(learnt())) == []
    assert findings(RULE, evidence(run("slow"))) == []


def test_a_model_that_a_warm_up_gets_under_way_passes() -> None:
    assert findings(RULE, evidence(run(), learnt(warmed=True))) == []
    assert len(findings(RULE, evidence(run(), run(warmed=True)))) == 1


def test_without_a_control_nothing_is_claimed() -> None:
    assert "control" in reason(RULE, evidence(run(), control=run()))


def test_a_loss_that_is_not_finite_is_left_to_another_rule() -> None:
    assert "diverging-loss" in reason(RULE, evidence(run("diverged", loss=(1.0, math.nan))))

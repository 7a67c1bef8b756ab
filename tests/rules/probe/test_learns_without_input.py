from __future__ import annotations

from analyzers.rules.probe.learns_without_input import LearnsWithoutInput
from tests.rules.probe.factory import CHANCE, STUCK, evidence, findings, learnt, reason, run

RULE = LearnsWithoutInput()
TO_CHANCE = (5.1, 4.0, 3.0, *STUCK)


def test_a_loss_that_falls_to_chance_with_and_without_input() -> None:
    (finding,) = findings(RULE, evidence(run(loss=TO_CHANCE), blind=run(loss=TO_CHANCE)))
    assert finding.severity == "error"
    assert "fell from 5.1 to 1.6" in finding.explanation
    assert finding.evidence["last_loss_without_input"] == finding.evidence["last_loss"]


def test_a_loss_that_rests_from_the_start_has_not_fallen() -> None:
    assert findings(RULE, evidence(run(), blind=run())) == []


def test_a_fall_that_needs_the_input_passes() -> None:
    on_its_way = tuple(CHANCE * 0.98**step for step in range(40))
    assert findings(RULE, evidence(run(loss=on_its_way), blind=run())) == []


def test_it_abstains_where_it_cannot_tell() -> None:
    assert "only a model that is stuck" in reason(RULE, evidence(learnt()))
    lost = run("diverged", loss=(float("nan"),))
    assert "did not stay finite" in reason(RULE, evidence(run(), blind=lost))
    assert "control" in reason(RULE, evidence(run(), control=run()))

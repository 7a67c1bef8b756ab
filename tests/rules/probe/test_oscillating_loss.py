from __future__ import annotations

import numpy as np
import pytest

from analyzers.rules.probe.oscillating_loss import OscillatingLoss
from tests.rules.probe.factory import CHANCE, STEPS, evidence, findings, learnt, reason, run

RULE = OscillatingLoss()
SWINGING = tuple(3.0 + 2.5 * (-1) ** step for step in range(STEPS))


def test_swings_without_a_trend() -> None:
    (finding,) = findings(RULE, evidence(run("unstable", loss=SWINGING)))
    assert finding.severity == "warning"
    assert [finding.evidence["low"], finding.evidence["high"]] == pytest.approx([0.5 / CHANCE, 5.5 / CHANCE])


def test_a_loss_at_rest_passes() -> None:
    assert findings(RULE, evidence(run())) == []


def test_swings_on_the_way_down_pass() -> None:
    falling = tuple(loss + 20 * (1 - step / STEPS) for step, loss in enumerate(SWINGING))
    assert findings(RULE, evidence(run("unstable", loss=falling))) == []


def test_what_small_batches_make_of_a_squared_error_passes() -> None:
    draws = np.random.default_rng(0).standard_normal((STEPS * 5, 8))
    batches = tuple(float(loss) for loss in np.mean(draws**2, axis=1))
    assert findings(RULE, evidence(run(loss=batches), batch_size=8)) == []


def test_a_model_that_learnt_or_diverged_passes() -> None:
    assert findings(RULE, evidence(learnt(judged=SWINGING))) == []
    assert findings(RULE, evidence(run("diverged", loss=SWINGING))) == []


def test_it_abstains_on_short_runs_and_without_control() -> None:
    assert "fewer than 16" in reason(RULE, evidence(run(loss=SWINGING[:20])))
    assert "control" in reason(RULE, evidence(run(loss=SWINGING), control=run()))

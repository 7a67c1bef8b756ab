from __future__ import annotations

import math

from analyzers.rules.probe.train_inference_gap import TrainInferenceGap
from tests.rules.probe.factory import FALLING, chain, evidence, findings, learnt, reason, run, snapshot

RULE = TrainInferenceGap()
APART = snapshot(training_loss=0.1, inference_loss=5.0, recalibrated_loss=1.5)


def test_a_gap_that_survives_the_re_estimation() -> None:
    (finding,) = findings(RULE, evidence(run("unstable", loss=FALLING, end=APART)), chain(normalized=True))
    assert (finding.severity, finding.layers) == ("warning", ("norm",))
    assert finding.evidence["recalibrated_loss"] == 1.5


def test_a_gap_that_was_lag_passes() -> None:
    lagging = snapshot(training_loss=0.1, inference_loss=5.0, recalibrated_loss=0.11)
    assert findings(RULE, evidence(run("unstable", loss=FALLING, end=lagging))) == []


def test_two_tiny_losses_are_not_apart() -> None:
    tiny = snapshot(training_loss=0.001, recalibrated_loss=0.004)
    assert findings(RULE, evidence(run("unstable", end=tiny))) == []


def test_a_high_training_loss_is_another_sickness() -> None:
    high = snapshot(training_loss=1.6, recalibrated_loss=4.0)
    assert findings(RULE, evidence(run(end=high))) == []


def test_losses_that_are_not_finite_are_another_sickness() -> None:
    broken = snapshot(training_loss=math.nan, recalibrated_loss=math.nan)
    assert findings(RULE, evidence(run("diverged", end=broken))) == []


def test_a_model_that_learnt_passes() -> None:
    assert findings(RULE, evidence(learnt(end=APART))) == []


def test_it_abstains_on_small_batches_and_without_control() -> None:
    assert "too small" in reason(RULE, evidence(run(end=APART), batch_size=4))
    assert "control" in reason(RULE, evidence(run(end=APART), control=run()))


def test_a_loss_that_is_always_the_same_has_no_gap() -> None:
    constant = evidence(run(end=APART), chance_loss=0.0, floor_loss=0.0)
    assert "the same whatever the model answers" in reason(RULE, constant)

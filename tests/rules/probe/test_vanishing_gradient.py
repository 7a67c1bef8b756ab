from __future__ import annotations

import numpy as np

from analyzers.rules.probe.vanishing_gradient import VanishingGradient
from tests.rules.probe.factory import FALLING, STEPS, evidence, findings, learnt, reason, run

RULE = VanishingGradient()
FADING = {"d0": 1e-8, "d1": 1e-5, "d2": 1e-2, "head": 1.0}


def test_a_gradient_that_fades_in_a_stuck_run() -> None:
    (finding,) = findings(RULE, evidence(run(gradients=FADING)))
    assert (finding.severity, finding.layers) == ("error", ("d0", "d1"))
    assert finding.evidence["when"] == "start"
    assert finding.evidence["relative_gradient"] == FADING


def test_gradients_are_read_relative_to_the_weights() -> None:
    small = dict.fromkeys(FADING, 1e-7)
    assert findings(RULE, evidence(run(gradients=small, weight_norms=small))) == []


def test_a_gradient_lost_on_the_way_is_told_as_such() -> None:
    lost = tuple(np.where(np.arange(STEPS) < 10, 0.1, 0.0))
    (finding,) = findings(RULE, evidence(run(gradients={"d0": lost, "d1": lost})))
    assert (finding.evidence["when"], finding.layers) == ("end", ("d0", "d1"))
    assert "No gradient at all" in finding.explanation


def test_a_model_that_learnt_passes_whatever_its_gradients() -> None:
    assert findings(RULE, evidence(learnt(gradients=FADING))) == []
    assert findings(RULE, evidence(run("slow", gradients=FADING))) == []


def test_a_small_gradient_at_a_low_loss_says_nothing() -> None:
    vanishing = tuple(10.0 ** -(step / 4) for step in range(STEPS))
    assert findings(RULE, evidence(run("unstable", loss=FALLING, gradients={"d0": vanishing}))) == []


def test_an_even_profile_passes() -> None:
    assert findings(RULE, evidence(run())) == []


def test_it_abstains_without_control_or_gradients() -> None:
    assert "control" in reason(RULE, evidence(run(), control=run()))
    assert "two weighted layers" in reason(RULE, evidence(run(gradient_norms={})))

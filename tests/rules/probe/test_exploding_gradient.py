from __future__ import annotations

import math

from analyzers.rules.probe.exploding_gradient import ExplodingGradient
from tests.rules.probe.factory import STEPS, evidence, findings, learnt, reason, run

RULE = ExplodingGradient()


def test_a_gradient_far_over_the_weights() -> None:
    (finding,) = findings(RULE, evidence(run("diverged", gradients={"d0": 5e3, "d1": 1e4})))
    assert (finding.severity, finding.layers) == ("error", ("d0", "d1"))
    assert finding.evidence["largest_relative_gradient"] == 1e4


def test_a_gradient_that_is_not_finite() -> None:
    broken = (0.1,) * (STEPS - 1) + (math.nan,)
    (finding,) = findings(RULE, evidence(run("diverged", gradients={"d1": broken})))
    assert finding.evidence["not_finite"] == ["d1"]


def test_a_gradient_that_grows_without_bound() -> None:
    growing = tuple(0.1 * 1.5**step for step in range(STEPS))
    (finding,) = findings(RULE, evidence(run("unstable", gradients={"d2": growing})))
    assert finding.layers == ("d2",)
    assert finding.evidence["growth"]["d2"] > 1e3


def test_a_steep_profile() -> None:
    (finding,) = findings(RULE, evidence(run(gradients={"d0": 100.0, "head": 0.01})))
    assert finding.evidence["first_over_last"] > 1e3


def test_the_profile_of_a_healthy_residual_network_passes() -> None:
    assert findings(RULE, evidence(run(gradients={"d0": 8.4, "head": 0.1}))) == []


def test_a_model_that_learnt_passes_whatever_its_gradients() -> None:
    assert findings(RULE, evidence(learnt(gradients={"d0": 5e3}))) == []


def test_it_abstains_without_control_or_gradients() -> None:
    assert "control" in reason(RULE, evidence(run(), control=run()))
    assert "no weighted layer" in reason(RULE, evidence(run(gradient_norms={})))

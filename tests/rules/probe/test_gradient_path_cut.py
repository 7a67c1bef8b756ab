from __future__ import annotations

from dataclasses import replace

from analyzers.rules.probe.gradient_path_cut import GradientPathCut
from analyzers.spec import TensorRef
from tests.rules.probe.factory import STEPS, chain, evidence, findings, learnt, reason, run

RULE = GradientPathCut()
CUT = {"d0": 0.0, "d1": 0.0}


def test_layers_without_a_gradient_under_every_seed() -> None:
    runs = (run(gradients=CUT), run(gradients=CUT, seed=2))
    (finding,) = findings(RULE, evidence(*runs))
    assert (finding.severity, finding.layers) == ("error", ("d0", "d1"))
    assert (finding.evidence["runs"], finding.evidence["seeds"]) == (2, 2)


def test_a_model_that_learns_without_them_is_told_no_more_than_that() -> None:
    (finding,) = findings(RULE, evidence(learnt(gradients=CUT)))
    assert finding.severity == "info"


def test_a_gradient_under_one_seed_or_at_one_step_is_a_gradient() -> None:
    assert findings(RULE, evidence(run(gradients=CUT), run(seed=2))) == []
    once = (1e-20,) + (0.0,) * (STEPS - 1)
    assert findings(RULE, evidence(run(gradients={"d0": once, "d1": once}))) == []


def test_layers_that_lead_to_some_outputs_only_are_passed_over() -> None:
    whole = chain()
    forked = replace(whole, outputs=(TensorRef("head"), TensorRef("d1")))
    assert findings(RULE, evidence(run(gradients={"d2": 0.0, "head": 0.0})), forked) == []
    (finding,) = findings(RULE, evidence(run(gradients=CUT)), forked)
    assert finding.layers == ("d0", "d1")


def test_it_abstains_without_control_or_gradients() -> None:
    assert "control" in reason(RULE, evidence(run(gradients=CUT), control=run()))
    assert "no trainable layer" in reason(RULE, evidence(run(gradient_norms={})))

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzers.probe.evidence import Snapshot
from analyzers.rules.probe.activation_scale_drift import ActivationScaleDrift
from analyzers.spec import Call, ModelSpec, TensorRef
from tests.rules.probe.factory import chain, evidence, findings, learnt, reason, run, snapshot

RULE = ActivationScaleDrift()
DEPTH = 6


def deep() -> ModelSpec:
    """Seven Dense layers in a row, the last of them the output."""
    short = chain()
    layers = list(short.layers)
    for number in range(3, DEPTH):
        fed = TensorRef(layers[-2].name)
        new = replace(layers[-2], name=f"d{number}", path=f"d{number}", inbound=(Call((fed,)),))
        layers.insert(-1, new)
    layers[-1] = replace(layers[-1], inbound=(Call((TensorRef(layers[-2].name),)),))
    return replace(short, layers=tuple(layers))


def scales(*values: float) -> Snapshot:
    return snapshot(
        activation_std={f"d{number}": value for number, value in enumerate(values)} | {"head": 9.0}
    )


FADING = scales(0.6, 0.3, 0.14, 0.08, 0.04, 0.02)
GROWING = scales(1.0, 3.1, 9.0, 28.0, 80.0, 240.0)


def test_a_signal_that_fades() -> None:
    (finding,) = findings(RULE, evidence(run(start=FADING)), deep())
    assert finding.severity == "error"
    assert finding.layers == ("d1", "d2", "d3", "d4", "d5")
    assert finding.evidence["factor_a_layer"] == pytest.approx(0.5, abs=0.05)
    assert "fades" in finding.explanation


def test_a_signal_that_grows() -> None:
    (finding,) = findings(RULE, evidence(run("slow", start=GROWING)), deep())
    assert finding.severity == "warning"
    assert "grows" in finding.explanation


def test_a_model_that_learnt_passes_whatever_its_scales() -> None:
    assert findings(RULE, evidence(learnt(start=FADING)), deep()) == []


@pytest.mark.parametrize(
    "start",
    [
        scales(1.0, 0.9, 0.8, 0.8, 0.7, 0.7),
        scales(90.0, 1.0, 0.9, 1.1, 1.0, 0.9),
        scales(0.01, 0.02, 0.05, 0.1, 0.3, 0.9),
    ],
    ids=["level", "a large input", "ends well"],
)
def test_other_profiles_pass(start: Snapshot) -> None:
    assert findings(RULE, evidence(run(start=start)), deep()) == []


def test_it_abstains_on_shallow_models_and_without_control() -> None:
    assert "fewer than 4" in reason(RULE, evidence(run(start=FADING)), chain())
    assert "control" in reason(RULE, evidence(run(start=FADING), control=run()), deep())

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.probe.evidence import Snapshot
from analyzers.rules.probe.saturated_activations import MEAN_SLOPE, SaturatedActivations
from analyzers.spec import ModelSpec
from tests.rules.probe.factory import chain, evidence, findings, learnt, reason, run, snapshot

RULE = SaturatedActivations()


def chain_of(activation: str) -> ModelSpec:
    made = chain()
    layers = [
        replace(layer, config={**layer.config, "activation": activation}) if layer.kind == "Dense" else layer
        for layer in made.layers
    ]
    return replace(made, layers=tuple(layers))


def outputs(value: np.ndarray) -> Snapshot:
    """Every layer's output has the scale of these values."""
    names = ("d0", "d1", "d2", "head")
    rms, std = float(np.sqrt(np.mean(value**2))), float(np.std(value))
    return snapshot(activation_rms=dict.fromkeys(names, rms), activation_std=dict.fromkeys(names, std))


INPUTS = np.random.default_rng(0).standard_normal(10_000)
FLAT = outputs(np.tanh(300 * INPUTS))
LIVELY = outputs(np.tanh(INPUTS))


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_the_mean_slope_is_exact(scale: float) -> None:
    x = scale * INPUTS + 0.3
    for name, y, slope in (
        ("tanh", np.tanh(x), 1 - np.tanh(x) ** 2),
        ("sigmoid", 1 / (1 + np.exp(-x)), 4 / (1 + np.exp(-x)) / (1 + np.exp(x))),
    ):
        measured = MEAN_SLOPE[name](float(np.sqrt(np.mean(y**2))), float(np.std(y)))
        assert measured == pytest.approx(float(slope.mean()))


def test_layers_on_their_flat_ends_from_the_start() -> None:
    (finding,) = findings(RULE, evidence(run(start=FLAT, end=FLAT)), chain_of("tanh"))
    assert (finding.severity, finding.layers) == ("error", ("d0", "d1", "d2"))
    assert finding.evidence["when"] == "start"


def test_sigmoids_that_got_there_by_training() -> None:
    start, end = outputs(1 / (1 + np.exp(-INPUTS))), outputs(np.full(100, 1 - 1e-5))
    (finding,) = findings(RULE, evidence(run("diverged", start=start, end=end)), chain_of("sigmoid"))
    assert finding.evidence["when"] == "end"
    assert "lower the learning rate" in finding.fix


def test_a_model_that_learnt_passes_whatever_its_slopes() -> None:
    assert findings(RULE, evidence(learnt(start=FLAT, end=FLAT)), chain_of("tanh")) == []


def test_layers_in_their_range_pass() -> None:
    assert findings(RULE, evidence(run(start=LIVELY, end=LIVELY)), chain_of("tanh")) == []


def test_it_abstains_on_other_activations_and_without_control() -> None:
    assert "no hidden layer" in reason(RULE, evidence(run(start=FLAT)), chain_of("relu"))
    assert "control" in reason(RULE, evidence(run(start=FLAT), control=run()), chain_of("tanh"))

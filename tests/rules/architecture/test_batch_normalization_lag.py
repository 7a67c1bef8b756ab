from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.batch_normalization_lag import BatchNormalizationLag
from analyzers.spec import ModelSpec
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = BatchNormalizationLag()


def trained(path: Path, momentum: float, steps: int | None) -> ModelSpec:
    body = (layers.Dense(4), layers.BatchNormalization(momentum=momentum, name="norm"), layers.Dense(1))
    model = keras.Sequential([keras.Input((3,)), *body])
    model.compile(loss="mse")
    spec = spec_of(model, path)
    assert spec.training is not None
    return replace(spec, training=replace(spec.training, steps_taken=steps))


def test_too_few_steps_are_a_warning(tmp_path: Path) -> None:
    (finding,) = findings(RULE, trained(tmp_path, 0.99, 100))
    assert (finding.severity, finding.layers) == ("warning", ("norm",))
    assert finding.evidence["initial_share_left"] == 0.99**100
    assert finding.evidence["steps_needed"] == 230


def test_enough_steps_pass(tmp_path: Path) -> None:
    assert findings(RULE, trained(tmp_path, 0.99, 400)) == []
    assert findings(RULE, trained(tmp_path, 0.9, 30)) == []


def test_unknown_steps_are_information(tmp_path: Path) -> None:
    for steps in (None, 0):
        (finding,) = findings(RULE, trained(tmp_path, 0.99, steps))
        assert finding.severity == "info"
        assert findings(RULE, trained(tmp_path, 0.9, steps)) == []


def test_frozen_layers_use_their_statistics(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.BatchNormalization(name="norm"), layers.Dense(1)])
    model.get_layer("norm").trainable = False
    model.compile(loss="mse")
    assert "no trainable BatchNormalization" in reason(RULE, spec_of(model, tmp_path))

from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.weights.untrained_weights import UntrainedWeights
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import trained
from tests.support import spec_of

RULE = UntrainedWeights()


def model(initializer: str = "glorot_uniform") -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(16, 3, kernel_initializer=initializer),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(24, kernel_initializer=initializer),
            layers.Dense(2),
        ]
    )


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal", "random_normal"])
def test_a_fresh_model_is_told(tmp_path: Path, initializer: str) -> None:
    (finding,) = findings(RULE, spec_of(model(initializer), tmp_path))
    assert (finding.severity, finding.evidence["of"]) == ("info", 2)
    assert finding.evidence["kernels_at_their_initialiser"] == 2


def test_a_trained_model_passes(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(trained(model(), steps=20), tmp_path)) == []


def test_statistics_or_biases_show_a_training_whose_steps_were_not_saved(tmp_path: Path) -> None:
    for name, variable in (("batch_normalization", "moving_mean"), ("dense", "bias")):
        copy = model()
        layer = next(one for one in copy.layers if one.name.startswith(name))
        getattr(layer, variable).assign(getattr(layer, variable) + 0.1)
        assert findings(RULE, spec_of(copy, tmp_path)) == []


def test_small_kernels_are_not_compared(tmp_path: Path) -> None:
    small = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    assert "200 weights" in reason(RULE, spec_of(small, tmp_path))

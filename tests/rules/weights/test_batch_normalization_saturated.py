from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rules.weights.batch_normalization_saturated import BatchNormalizationSaturated
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import trained
from tests.support import spec_of

RULE = BatchNormalizationSaturated()


def model() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.BatchNormalization(name="input_normalization"),
            layers.Dense(16, name="hidden"),
            layers.BatchNormalization(momentum=0.5, name="normalization"),
            layers.ReLU(),
            layers.Dense(2),
        ]
    )


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("moving_variance", 1e-12, "100% of the channels are constant"),
        ("moving_variance", 1e5, "moving variance up to 1e+05"),
        ("moving_mean", -5e3, "moving mean up to 5e+03"),
        ("gamma", 0.0, "every gamma is zero"),
    ],
)
def test_statistics_out_of_scale_are_told(tmp_path: Path, variable: str, value: float, words: str) -> None:
    sick = trained(model())
    getattr(sick.get_layer("normalization"), variable).assign(np.full(16, value))
    (finding,) = findings(RULE, spec_of(sick, tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("normalization",))
    assert words in finding.explanation


def test_features_without_scale_show_in_a_real_run(tmp_path: Path) -> None:
    sick = keras.Sequential(
        [keras.Input((6,)), layers.Dense(16), layers.BatchNormalization(momentum=0.5, name="b")]
    )
    (finding,) = findings(RULE, spec_of(trained(sick, steps=20, mean=5e3, std=1e3), tmp_path))
    assert finding.evidence["by_layer"]["b"]["largest_variance"] > 1e4


def test_a_healthy_run_passes(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(trained(model(), mean=5e3, std=1e3), tmp_path)) == []


def test_a_few_dead_channels_and_a_fresh_zero_gamma_pass(tmp_path: Path) -> None:
    healthy = model()
    normalization = healthy.get_layer("normalization")
    normalization.moving_variance.assign(np.where(np.arange(16) < 5, 0.0, 1.0))
    normalization.gamma.assign(np.zeros(16))
    assert findings(RULE, spec_of(healthy, tmp_path)) == []


def test_a_model_without_one_behind_weights_is_not_judged(tmp_path: Path) -> None:
    plain = keras.Sequential([keras.Input((6,)), layers.BatchNormalization(), layers.Dense(2)])
    assert "behind weights" in reason(RULE, spec_of(plain, tmp_path))

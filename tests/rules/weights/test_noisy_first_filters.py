from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rules.weights.noisy_first_filters import LEAST_STEPS, NoisyFirstFilters, neighbours
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import trained
from tests.support import spec_of

RULE = NoisyFirstFilters()


def after_a_run(kernel: np.ndarray | None = None) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(16, 5, name="first"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    model = trained(model, steps=1)
    model.optimizer.iterations.assign(LEAST_STEPS)
    if kernel is not None:
        model.get_layer("first").kernel.assign(kernel)
    return model


def test_filters_like_noise_are_told(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(after_a_run(), tmp_path))
    assert (finding.severity, finding.layers) == ("info", ("first",))
    assert abs(finding.evidence["correlation"]) < 0.1


def test_filters_with_structure_pass(tmp_path: Path) -> None:
    kernel = np.random.default_rng(0).normal(size=(5, 5, 3, 16))
    smooth = kernel + np.roll(kernel, 1, axis=0) + np.roll(kernel, 1, axis=1)
    assert findings(RULE, spec_of(after_a_run(smooth), tmp_path)) == []


def test_it_abstains_where_there_is_nothing_to_see(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Conv2D(16, 1), layers.GlobalAveragePooling2D()]
    )
    assert "1000 steps" in reason(RULE, spec_of(trained(model, steps=1), tmp_path))
    model.optimizer.iterations.assign(LEAST_STEPS)
    assert "no trainable first convolution" in reason(RULE, spec_of(model, tmp_path))


@pytest.mark.parametrize(("kernel", "correlation"), [(np.ones((3, 3, 1, 4)), 1.0), (np.indices((4, 4)).sum(0)[..., None, None] % 2 * 2.0 - 1, -1.0)])  # fmt: skip
def test_the_correlation_is_that_of_neighbours(kernel: np.ndarray, correlation: float) -> None:
    assert neighbours(kernel)["correlation"] == pytest.approx(correlation)
    assert neighbours(np.zeros((3, 3, 1, 4)))["pairs"] == 0

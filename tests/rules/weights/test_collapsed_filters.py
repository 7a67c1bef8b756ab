from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rules.weights.collapsed_filters import CollapsedFilters, collapse
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import trained
from tests.support import spec_of

RULE = CollapsedFilters()


def model(initializer: str = "he_normal") -> keras.Model:
    hidden = layers.Dense(32, activation="relu", kernel_initializer=initializer, name="hidden")
    return keras.Sequential(
        [keras.Input((10,)), hidden, layers.Dense(1, kernel_initializer="ones", name="head")]
    )


def test_symmetry_that_training_never_broke_is_told(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(trained(model("ones")), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("hidden",))
    assert finding.evidence["by_layer"]["hidden"]["copied"] == 1.0
    assert finding.evidence["by_layer"]["hidden"]["rank"] == 1


def test_a_layer_of_one_direction_is_told(tmp_path: Path) -> None:
    sick = trained(model())
    rng = np.random.default_rng(0)
    sick.get_layer("hidden").kernel.assign(np.outer(rng.normal(size=10), rng.normal(size=32)))
    (finding,) = findings(RULE, spec_of(sick, tmp_path))
    assert finding.evidence["by_layer"]["hidden"]["copied"] == 0.0
    assert "1 directions" in finding.explanation


def test_trained_layers_pass(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(trained(model()), tmp_path)) == []


def test_an_initialiser_that_makes_copies_is_not_blamed_on_the_weights(tmp_path: Path) -> None:
    assert "no trainable layer" in reason(RULE, spec_of(model("ones"), tmp_path))


def test_it_abstains_before_a_hundred_steps(tmp_path: Path) -> None:
    assert "100 steps" in reason(RULE, spec_of(trained(model(), steps=5), tmp_path))


@pytest.mark.parametrize("rows", [12, 500, 9000])
def test_copies_are_counted_exactly(rows: int) -> None:
    kernel = np.random.default_rng(0).normal(size=(rows, 200)).astype(np.float32)
    kernel[:, 50:90] = kernel[:, :40]
    kernel[:, 90:100] = kernel[:, :10]
    row = collapse(kernel)
    assert row is not None
    assert row["copied"] == pytest.approx(90 / 200)
    assert row["rank"] >= 12


def test_units_without_weights_are_pruned_not_copied() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 8, 64)).astype(np.float32)
    kernel[..., :30] = 0.0
    row = collapse(kernel)
    assert row is not None
    assert (row["copied"], row["units"]) == (0.0, 34)
    assert collapse(np.zeros((3, 3, 8, 64), np.float32)) is None
    assert collapse(np.ones((4, 100), np.float32)) is None

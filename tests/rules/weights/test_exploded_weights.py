from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.reading import open_model
from analyzers.rules.weights.exploded_weights import ExplodedWeights
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import trained
from tests.support import spec_of

RULE = ExplodedWeights()


def model(*, normalized: bool = False) -> keras.Model:
    between = [layers.BatchNormalization()] if normalized else []
    hidden = layers.Dense(16, name="hidden")
    return keras.Sequential(
        [
            keras.Input((8,)),
            hidden,
            *between,
            layers.ReLU(),
            layers.Dense(3, activation="softmax", name="head"),
        ]
    )


def blown_up(name: str, sick: keras.Model, factor: float = 100.0) -> keras.Model:
    kernel = sick.get_layer(name).kernel
    kernel.assign(kernel * factor)
    return sick


@pytest.mark.parametrize("name", ["hidden", "head"])
def test_a_kernel_far_over_any_initialiser_is_told(tmp_path: Path, name: str) -> None:
    (finding,) = findings(RULE, spec_of(blown_up(name, model()), tmp_path))
    assert (finding.severity, finding.certain, finding.layers) == ("warning", False, (name,))
    assert 30 < finding.evidence["ratio_by_layer"][name] < 300
    assert finding.evidence["gradient_exploded"] == []


def test_an_exploded_gradient_makes_it_an_error(tmp_path: Path) -> None:
    sick = trained(blown_up("hidden", model(), 1e4), loss="categorical_crossentropy", steps=5, std=1e5)
    (finding,) = findings(RULE, spec_of(sick, tmp_path))
    assert finding.severity == "error"
    assert finding.evidence["gradient_exploded"] == ["hidden"]


def test_a_recurrent_kernel_counts(tmp_path: Path) -> None:
    sick = keras.Sequential([keras.Input((5, 4)), layers.Bidirectional(layers.LSTM(6), name="both")])
    kernel = sick.get_layer("both").forward_layer.cell.recurrent_kernel
    kernel.assign(np.full(kernel.shape, 50.0))
    (finding,) = findings(RULE, spec_of(sick, tmp_path))
    assert finding.evidence["largest_weight"] == 50.0


def test_healthy_models_pass(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(), tmp_path)) == []
    healthy = trained(model(normalized=True), loss="categorical_crossentropy")
    assert findings(RULE, spec_of(healthy, tmp_path)) == []


def test_scale_that_a_normalisation_takes_away_is_no_matter(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(blown_up("hidden", model(normalized=True)), tmp_path)) == []


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_a_regression_reaches_the_scale_of_its_targets(tmp_path: Path, activation: str) -> None:
    regression = keras.Sequential(
        [keras.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(1, activation, name="head")]
    )
    assert findings(RULE, spec_of(blown_up("head", regression, 1e4), tmp_path)) == []


def test_weights_without_a_graph_tell_no_scale(tmp_path: Path) -> None:
    blown_up("hidden", model(normalized=True)).save_weights(tmp_path / "model.weights.h5")
    with open_model(tmp_path / "model.weights.h5") as spec:
        assert "do not say which kernels" in reason(RULE, spec)

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rules.weights.stalled_layers import StalledLayers
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import kill, trained
from tests.support import spec_of

RULE = StalledLayers()


def vanishing() -> keras.Model:
    """Sigmoid layers of small weights: each takes the gradient to a few thousandths."""
    model = keras.Sequential(
        [
            keras.Input((20,)),
            *(layers.Dense(20, activation="sigmoid", name=f"d{n}") for n in range(8)),
            layers.Dense(1, name="head"),
        ]
    )
    for layer in model.layers[1:]:
        layer.kernel.assign(layer.kernel * 1e-2)
    return model


@pytest.mark.parametrize("optimizer", ["adam", keras.optimizers.SGD(1e-3, momentum=0.9)])
def test_layers_that_the_gradient_does_not_reach_are_told(tmp_path: Path, optimizer: Any) -> None:
    (finding,) = findings(RULE, spec_of(trained(vanishing(), optimizer=optimizer), tmp_path))
    assert (finding.severity, finding.certain) == ("error", False)
    assert set(finding.layers) <= {f"d{n}" for n in range(6)}
    assert 0 < finding.evidence["largest_gradient"] < 1e-8


def test_without_a_record_zero_biases_on_a_fresh_kernel_tell(tmp_path: Path) -> None:
    first = layers.Dense(20, activation="relu", name="first")
    model = keras.Sequential(
        [keras.Input((20,)), first, layers.Dense(20, activation="relu", name="second"), layers.Dense(1)]
    )
    kill(model.get_layer("second"))
    (finding,) = findings(RULE, spec_of(trained(model, optimizer="sgd"), tmp_path))
    assert finding.layers == ("first",)
    assert finding.evidence["largest_gradient"] is None


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "lion"])
def test_layers_that_moved_pass(tmp_path: Path, optimizer: str) -> None:
    model = keras.Sequential([keras.Input((20,)), layers.Dense(20, activation="relu"), layers.Dense(1)])
    assert findings(RULE, spec_of(trained(model, optimizer=optimizer), tmp_path)) == []


def test_a_bias_under_a_normalisation_gets_no_gradient_and_proves_nothing(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((20,)), layers.Dense(20), layers.BatchNormalization(), layers.ReLU(), layers.Dense(1)]
    )
    model = trained(model, optimizer=keras.optimizers.SGD(1e-6))
    model.layers[0].bias.assign(np.zeros(20))
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_it_abstains_before_a_hundred_steps(tmp_path: Path) -> None:
    assert "100 steps" in reason(RULE, spec_of(trained(vanishing(), steps=5), tmp_path))

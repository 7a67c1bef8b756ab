from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rule import Measurement
from analyzers.rules.input_scale import normalized_scale
from analyzers.rules.weights.raw_input_statistics import RawInputStatistics
from tests.rules.apply import findings, measured, reason
from tests.rules.weights.trained import trained
from tests.support import spec_of

RULE = RawInputStatistics()


def convolutional(*, normalized: bool = False, momentum: float = 0.9, **settings: Any) -> keras.Model:
    between = [layers.BatchNormalization(momentum=momentum)] if normalized else []
    return keras.Sequential(
        [
            keras.Input((8, 8, 3), name="image"),
            layers.Conv2D(4, 3, name="convolution", **settings),
            *between,
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )


@pytest.mark.parametrize("normalized", [False, True])
def test_raw_pixels_are_read_back(tmp_path: Path, normalized: bool) -> None:
    model = trained(convolutional(normalized=normalized), mean=120.0, std=64.0)
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert (finding.severity, finding.certain, finding.layers) == ("warning", False, ("convolution",))
    assert finding.evidence["scale"] == "raw"
    assert 30 < finding.evidence["estimated_input_scale"] < 300


@pytest.mark.parametrize("normalized", [False, True])
def test_standardised_pixels_pass(tmp_path: Path, normalized: bool) -> None:
    spec = spec_of(trained(convolutional(normalized=normalized)), tmp_path)
    assert findings(RULE, spec) == []
    measurement = measured(RULE, spec)
    assert isinstance(measurement, Measurement)
    assert 0.05 < measurement.value < 5


def test_pixels_scaled_twice_are_told(tmp_path: Path) -> None:
    model = trained(convolutional(), mean=0.5 / 255, std=0.25 / 255)
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.evidence["scale"] == "scaled twice"


def test_a_table_is_not_scaled_like_pixels(tmp_path: Path) -> None:
    table = keras.Sequential([keras.Input((20,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
    (finding,) = findings(RULE, spec_of(trained(table, mean=120.0, std=64.0), tmp_path))
    assert finding.evidence["scale"] == "raw"
    assert "pixels" not in finding.explanation
    assert "adapted to the training data" in finding.fix


def test_small_numbers_in_a_table_are_no_pixels(tmp_path: Path) -> None:
    table = keras.Sequential([keras.Input((50,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
    assert findings(RULE, spec_of(trained(table, mean=0.002, std=0.001), tmp_path)) == []


def test_scaling_in_the_graph_counts_as_what_the_layer_is_fed(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 64.0, offset=-2.0),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    assert findings(RULE, spec_of(trained(model, mean=120.0, std=64.0), tmp_path)) == []


@pytest.mark.parametrize(
    ("model", "steps"),
    [
        (convolutional(kernel_regularizer="l2"), 110),
        (convolutional(use_bias=False), 110),
        (convolutional(), 20),
        (convolutional(normalized=True, momentum=0.999), 110),
        (convolutional(trainable=False), 110),
    ],
)
def test_it_abstains_where_nothing_can_be_read(tmp_path: Path, model: keras.Model, steps: int) -> None:
    spec = spec_of(trained(model, steps=steps, mean=120.0, std=64.0), tmp_path)
    assert "Adam or RMSprop" in reason(RULE, spec)


def test_the_formula_recovers_a_known_scale() -> None:
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 3, 64))
    samples = rng.normal(0, 64.0, size=(20000, 27)) @ kernel.reshape(27, 64)
    kept = 0.99**200
    moving = kept * 1.0 + (1 - kept) * samples.var(axis=0)
    assert normalized_scale(moving, kernel, 0.99, 200) == pytest.approx(64.0, rel=0.02)
    assert normalized_scale(moving, kernel, 0.99, 20) is None

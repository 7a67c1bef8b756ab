from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rule import Measurement
from analyzers.rules.relu_units import RECORD_STEPS
from analyzers.rules.weights.dead_relu_units import DeadReluUnits
from tests.rules.apply import findings, measured, reason
from tests.rules.weights.trained import STEPS, kill, trained
from tests.support import spec_of

RULE = DeadReluUnits()


def plain(units: int = 20) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", name="first"),
            layers.Dense(units, activation="relu", name="second"),
            layers.Dense(3, name="head"),
        ]
    )


def negative(model: keras.Model, dead: int) -> keras.Model:
    """Make the weights into some units of the second layer all negative."""
    layer = model.get_layer("second")
    kernel = layer.kernel.numpy()
    kernel[:, :dead] = -np.abs(kernel[:, :dead]) - 1e-3
    kernel[0, dead:] = 1.0
    layer.kernel.assign(kernel)
    return model


def test_the_record_proves_a_whole_layer_dead(tmp_path: Path) -> None:
    model = plain()
    kill(model.get_layer("second"))
    (finding,) = findings(RULE, spec_of(trained(model), tmp_path))
    assert (finding.severity, finding.certain, finding.layers) == ("error", True, ("second",))
    assert finding.evidence["share_by_layer"] == {"second": 1.0}
    assert finding.evidence["by_record"] == 20
    assert finding.evidence["cut_off"] == ["first"]
    assert f"after {STEPS} steps" in finding.explanation


@pytest.mark.parametrize(("dead", "severity"), [(10, "error"), (5, "warning")])
def test_the_weights_prove_units_dead_behind_a_relu(tmp_path: Path, dead: int, severity: str) -> None:
    (finding,) = findings(RULE, spec_of(negative(plain(), dead), tmp_path))
    assert (finding.severity, finding.certain) == (severity, False)
    assert finding.evidence["share_by_layer"] == {"second": dead / 20}
    assert (finding.evidence["by_weights"], finding.evidence["by_record"]) == (dead, 0)


def test_a_fifth_of_dead_units_is_usual(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(negative(plain(), 4), tmp_path)) == []


def test_a_healthy_trained_model_passes(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(trained(plain()), tmp_path)) == []


def test_negative_weights_prove_nothing_where_the_input_may_be_negative(tmp_path: Path) -> None:
    model = plain()
    first = model.get_layer("first")
    first.kernel.assign(-np.abs(first.kernel.numpy()))
    measurement = measured(RULE, spec_of(model, tmp_path))
    assert isinstance(measurement, Measurement)
    assert "first" not in measurement.layers


def test_pruned_units_are_not_lost_ones(tmp_path: Path) -> None:
    model = plain()
    layer = model.get_layer("second")
    kernel = np.ones((8, 20))
    kernel[:, :15] = 0.0
    layer.kernel.assign(kernel)
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_the_record_is_read_through_batch_normalization(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, name="convolution"),
            layers.BatchNormalization(name="normalization"),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1),
        ]
    )
    model.get_layer("normalization").beta.assign([-1e3, -1e3, 0.0, 0.0])
    (finding,) = findings(RULE, spec_of(trained(model), tmp_path))
    assert (finding.severity, finding.layers) == ("error", ("convolution",))
    assert finding.evidence["share_by_layer"] == {"convolution": 0.5}


@pytest.mark.filterwarnings("ignore:.*softmax over axis")
def test_units_cut_off_by_what_lies_behind_are_not_called_dead(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(1, activation="softmax")]
    )
    trained(model, loss="binary_crossentropy")
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_a_dead_layer_with_a_way_round_is_not_certain(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    branch = layers.Dense(6, activation="relu", name="branch")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Add()([inputs, branch])))
    kill(model.get_layer("branch"))
    (finding,) = findings(RULE, spec_of(trained(model), tmp_path))
    assert (finding.severity, finding.certain) == ("error", False)


def test_too_few_steps_prove_nothing(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
    kill(model.layers[0])
    assert str(RECORD_STEPS) in reason(RULE, spec_of(trained(model, steps=5), tmp_path))


def test_a_model_without_relu_is_not_judged(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="tanh"), layers.Dense(1)])
    assert "no ReLU layer" in reason(RULE, spec_of(model, tmp_path))

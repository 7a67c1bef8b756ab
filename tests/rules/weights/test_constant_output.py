from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

from analyzers.rules.weights.constant_output import ConstantOutput
from tests.rules.apply import findings
from tests.rules.weights.trained import kill, trained
from tests.support import spec_of

RULE = ConstantOutput()


def plain() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", name="first"),
            layers.Dense(8, activation="relu", name="second"),
            layers.Dense(3, activation="softmax", name="head"),
        ]
    )


def test_a_dead_layer_makes_the_output_constant(tmp_path: Path) -> None:
    model = plain()
    second = model.get_layer("second")
    second.kernel.assign(-np.abs(second.kernel.numpy()))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert (finding.severity, finding.certain, finding.layers) == ("error", True, ("second",))
    assert finding.evidence["constant_outputs"] == ["head"]
    rows = model.predict(np.random.default_rng(0).normal(size=(5, 6)), verbose=0)
    assert np.ptp(rows, axis=0).max() == 0


def test_the_record_of_a_run_shows_it_too(tmp_path: Path) -> None:
    model = plain()
    kill(model.get_layer("second"))
    trained(model, loss="categorical_crossentropy")
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.evidence["because"] == {"second": "dead units"}


def test_a_zero_kernel_counts_after_training_only(tmp_path: Path) -> None:
    fresh = plain()
    fresh.get_layer("head").kernel.assign(np.zeros((8, 3)))
    assert findings(RULE, spec_of(fresh, tmp_path)) == []
    old = trained(plain(), loss="categorical_crossentropy")
    old.get_layer("head").kernel.assign(np.zeros((8, 3)))
    (finding,) = findings(RULE, spec_of(old, tmp_path))
    assert finding.evidence["because"] == {"head": "kernel zero"}


def test_a_way_round_the_dead_layer_passes(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    x = layers.Dense(6, activation="relu")(inputs)
    branch = layers.Dense(6, activation="relu", name="branch")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Add()([x, branch])))
    model.get_layer("branch").kernel.assign(-np.ones((6, 6)))
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_one_constant_output_of_two_is_told(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    x = layers.Dense(6, activation="relu")(inputs)
    dead = layers.Dense(6, activation="relu", name="dead")(x)
    model = keras.Model(inputs, [layers.Dense(2, name="a")(x), layers.Dense(2, name="b")(dead)])
    model.get_layer("dead").kernel.assign(-np.ones((6, 6)))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert (finding.evidence["constant_outputs"], finding.evidence["of"]) == (["b"], 2)


def test_healthy_models_pass(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(plain(), tmp_path)) == []
    assert findings(RULE, spec_of(trained(plain(), loss="categorical_crossentropy"), tmp_path)) == []

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from analyzers.rules.weights.batch_normalization_untouched import BatchNormalizationUntouched
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import trained
from tests.support import spec_of

RULE = BatchNormalizationUntouched()


def model(*, trainable: bool = True) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8),
            layers.BatchNormalization(trainable=trainable, name="normalization"),
            layers.ReLU(),
            layers.Dense(2),
        ]
    )


def test_statistics_of_a_frozen_layer_are_told(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(trained(model(trainable=False), steps=20), tmp_path))
    assert (finding.severity, finding.certain, finding.layers) == ("error", False, ("normalization",))
    assert finding.evidence["steps"] == 20
    assert "frozen" in finding.explanation


def test_a_loop_in_inference_mode_is_told(tmp_path: Path) -> None:
    sick = model()
    sick.compile("adam", "mse")
    variables = sick.trainable_variables
    x = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
    for _ in range(10):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(sick(x, training=False) ** 2)
        sick.optimizer.apply(tape.gradient(loss, variables), variables)
    (finding,) = findings(RULE, spec_of(sick, tmp_path))
    assert "training=False" in finding.explanation


def test_a_trained_gamma_shows_it_where_steps_are_not_known(tmp_path: Path) -> None:
    sick = model()
    sick.get_layer("normalization").gamma.assign(np.linspace(0.5, 0.9, 8))
    (finding,) = findings(RULE, spec_of(sick, tmp_path))
    assert finding.evidence["steps"] is None


def test_updated_statistics_pass(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(trained(model(), steps=20), tmp_path)) == []


def test_a_fresh_model_passes(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(), tmp_path)) == []
    assert findings(RULE, spec_of(trained(model(), steps=1), tmp_path)) == []


def test_a_model_without_it_is_not_judged(tmp_path: Path) -> None:
    plain = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
    assert "no BatchNormalization" in reason(RULE, spec_of(plain, tmp_path))

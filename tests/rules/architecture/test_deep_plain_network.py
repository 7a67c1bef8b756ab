from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rules.architecture.deep_plain_network import DeepPlainNetwork
from analyzers.rules.propagation import Propagation
from analyzers.spec.graph import Graph
from tests.rules.apply import findings, measured
from tests.support import spec_of

RULE = DeepPlainNetwork()


def plain(depth: int, **settings: Any) -> keras.Model:
    inputs = x = keras.Input((8, 8, 16))
    for _ in range(depth):
        x = layers.Conv2D(16, 3, padding="same", **{"activation": "relu", **settings})(x)
    return keras.Model(inputs, x)


def test_glorot_and_relu_fade(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(plain(12), tmp_path))
    assert finding.severity == "warning"
    assert finding.evidence["layers_in_a_row"] == 12
    assert finding.evidence["predicted_signal_scale"] == pytest.approx(2**-6, rel=0.01)
    (deeper,) = findings(RULE, spec_of(plain(16), tmp_path))
    assert deeper.severity == "error"
    assert not deeper.certain


def test_sigmoids_lose_the_gradient_but_not_the_signal(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(plain(10, activation="sigmoid"), tmp_path))
    assert finding.severity == "error"
    assert finding.evidence["predicted_signal_scale"] > 0.1
    assert finding.evidence["predicted_gradient_scale"] < 1e-4


def test_large_weights_grow(tmp_path: Path) -> None:
    wide = keras.initializers.RandomNormal(stddev=0.3)
    (finding,) = findings(RULE, spec_of(plain(10, kernel_initializer=wide), tmp_path))
    assert finding.evidence["predicted_signal_scale"] > 100


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_initializer": "he_normal"},
        {"activation": "selu", "kernel_initializer": "lecun_normal"},
        {"activation": "tanh", "kernel_initializer": "glorot_normal"},
    ],
)
def test_fitting_initialisers_keep_the_scale(settings: dict[str, str], tmp_path: Path) -> None:
    assert findings(RULE, spec_of(plain(12, **settings), tmp_path)) == []


def test_depth_alone_is_a_weak_warning(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(plain(24, kernel_initializer="he_normal"), tmp_path))
    assert finding.severity == "warning"
    assert finding.confidence <= 0.2


def test_few_layers_pass(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(plain(7), tmp_path)) == []


def test_normalisation_resets(tmp_path: Path) -> None:
    inputs = x = keras.Input((8, 8, 16))
    for _ in range(12):
        x = layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same")(x))
        x = layers.ReLU()(x)
    spec = spec_of(keras.Model(inputs, x), tmp_path)
    assert findings(RULE, spec) == []
    measurement = measured(RULE, spec)
    assert getattr(measurement, "value", None) == 1.0


def test_shortcuts_carry_the_signal(tmp_path: Path) -> None:
    inputs = x = keras.Input((8, 8, 16))
    for _ in range(8):
        y = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
        x = layers.Add()([x, layers.Conv2D(16, 3, padding="same")(y)])
    assert findings(RULE, spec_of(keras.Model(inputs, x), tmp_path)) == []


def test_parallel_branches_do_not_shorten_a_stretch(tmp_path: Path) -> None:
    inputs = x = keras.Input((8, 8, 16))
    for _ in range(12):
        left = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        right = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        x = layers.Concatenate()([left, right])
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, x), tmp_path))
    assert finding.evidence["layers_in_a_row"] == 12


def test_a_stretch_runs_through_nested_models(tmp_path: Path) -> None:
    body = keras.Sequential([keras.Input((32,)), *(layers.Dense(32, "relu") for _ in range(10))], name="body")
    inputs = keras.Input((32,))
    x = layers.Dense(4)(body(layers.Dense(32, "relu")(inputs)))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, x), tmp_path))
    assert finding.evidence["layers_in_a_row"] == 12
    assert sum(path.startswith("body/") for path in finding.layers) == 10


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "elu", "gelu", "linear"])
@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal"])
def test_the_prediction_agrees_with_a_real_forward_pass(
    activation: str, initializer: str, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    inputs = x = keras.Input((300,))
    outputs = []
    for width in (400, 300, 500, 300):
        x = layers.Dense(width, kernel_initializer=initializer)(x)
        x = layers.Activation(activation)(x)
        outputs.append(x)
    model = keras.Model(inputs, outputs)
    real = model(np.random.default_rng(0).normal(size=(64, 300)).astype("float32"))
    propagation = Propagation(Graph(spec_of(keras.Model(inputs, x), tmp_path)))
    predicted = [propagation.incoming(node) for node in propagation.graph.nodes if "dense" in node.path][1:]
    for value, tensor in zip(predicted, real, strict=False):
        assert value == pytest.approx(float(np.sqrt(np.mean(np.square(tensor)))), rel=0.15)


def test_the_predicted_gradient_agrees_with_autodiff(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(2)
    inputs = x = keras.Input((12, 12, 24))
    for filters in (32, 24, 40, 24):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    model = keras.Model(inputs, x)
    data = tf.random.stateless_normal((16, 12, 12, 24), (3, 4))
    signals = tf.random.stateless_normal((16, 12, 12, 24), (5, 6))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(data) * signals)
    kernels = [layer.kernel.value for layer in model.layers[1:]]
    real = [
        float(tf.norm(gradient) / tf.norm(kernel))
        for gradient, kernel in zip(tape.gradient(loss, kernels), kernels, strict=True)
    ]
    propagation = Propagation(Graph(spec_of(model, tmp_path)))
    predicted = [level.kernel_gradient for level in propagation.levels.values()]
    ratios = np.array(real) / np.array(predicted)
    assert ratios / ratios[-1] == pytest.approx(np.ones(4), rel=0.35)

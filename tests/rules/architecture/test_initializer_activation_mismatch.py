from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.architecture.initializer_activation_mismatch import InitializerActivationMismatch
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = InitializerActivationMismatch()


def dense(depth: int, activation: str, initializer: str) -> keras.Model:
    hidden = (layers.Dense(16, activation, kernel_initializer=initializer) for _ in range(depth))
    return keras.Sequential([keras.Input((16,)), *hidden, layers.Dense(2)])


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [("relu", "glorot_uniform"), ("tanh", "he_normal"), ("sigmoid", "he_uniform"), ("selu", "he_normal")],
)
def test_initialisers_made_for_another_activation(activation: str, initializer: str, tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(dense(2, activation, initializer), tmp_path))
    assert finding.severity == "info"
    assert len(finding.layers) == 2
    (deep,) = findings(RULE, spec_of(dense(9, activation, initializer), tmp_path))
    assert deep.severity == "warning"


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [("relu", "he_normal"), ("tanh", "glorot_uniform"), ("selu", "lecun_normal"), ("gelu", "glorot_uniform")],
)
def test_fitting_initialisers_pass(activation: str, initializer: str, tmp_path: Path) -> None:
    assert findings(RULE, spec_of(dense(9, activation, initializer), tmp_path)) == []


def test_separate_activations_are_found_behind_pooling(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.ReLU()(layers.MaxPooling2D()(layers.Conv2D(4, 3, name="conv")(inputs)))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, x), tmp_path))
    assert finding.layers == ("conv",)


def test_normalised_outputs_are_passed_over(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs)))
    assert "no trainable kernel" in reason(RULE, spec_of(keras.Model(inputs, x), tmp_path))


def test_gates_beside_the_signal_do_not_add_up(tmp_path: Path) -> None:
    """Squeeze-and-excitation: two mismatched layers a block, on side branches of a normalised trunk."""
    inputs = x = keras.Input((8, 8, 8))
    for _ in range(9):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(x)))
        gate = layers.Dense(4, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
        x = layers.Multiply()([x, layers.Dense(8, activation="sigmoid")(gate)])
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, x), tmp_path))
    assert finding.severity == "info"


def test_dropout_behind_selu(tmp_path: Path) -> None:
    def model(dropout: keras.layers.Layer) -> keras.Model:
        first = layers.Dense(16, "selu", kernel_initializer="lecun_normal")
        return keras.Sequential([keras.Input((16,)), first, dropout, layers.Dense(2)])

    (finding,) = findings(RULE, spec_of(model(layers.Dropout(0.1, name="drop")), tmp_path))
    assert (finding.severity, finding.layers) == ("info", ("drop",))
    assert findings(RULE, spec_of(model(layers.AlphaDropout(0.1)), tmp_path)) == []

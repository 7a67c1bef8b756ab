from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from analyzers.rules.architecture.degenerate_initializer import DegenerateInitializer
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = DegenerateInitializer()


def stack(initializer: Any, activation: str = "relu", *, normalized: bool = False) -> keras.Model:
    middle = layers.Dense(64, activation, kernel_initializer=initializer, name="middle")
    body = [layers.Dense(64, "relu"), middle, *([layers.BatchNormalization()] if normalized else [])]
    return keras.Sequential([keras.Input((64,)), *body, layers.Dense(3, "softmax")])


@pytest.mark.parametrize(
    ("initializer", "fault"),
    [
        ("zeros", "zero"),
        ("ones", "alike"),
        (keras.initializers.Constant(0.02), "alike"),
        (keras.initializers.RandomNormal(stddev=5.0), "large"),
        (keras.initializers.RandomNormal(stddev=1e-4), "small"),
    ],
)
def test_starts_that_stop_learning(initializer: Any, fault: str, tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(stack(initializer), tmp_path))
    assert (finding.severity, finding.layers, finding.evidence["fault"]) == ("error", ("middle",), fault)
    assert not finding.certain


def test_zeros_behind_zeros(tmp_path: Path) -> None:
    body = [layers.Dense(8, "tanh", kernel_initializer="zeros", name="first")]
    model = keras.Sequential([keras.Input((4,)), *body, layers.Dense(3, kernel_initializer="zeros")])
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.layers == ("first",)


def test_a_separate_relu_in_a_nested_model(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    inner = [layers.Dense(6, kernel_initializer="zeros", name="d"), layers.ReLU()]
    body = keras.Sequential([keras.Input((6,)), *inner], name="body")
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Dense(2)(body(inputs))), tmp_path))
    assert finding.layers == ("body/d",)


def test_a_side_branch_that_never_moves(tmp_path: Path) -> None:
    """A ReLU, or more zeros, straight behind zeros: no way round the branch gives it a gradient."""
    inputs = keras.Input((6,))
    rectified = layers.Dense(6, "relu", kernel_initializer="zeros", name="rectified")(inputs)
    first = layers.Dense(8, "gelu", kernel_initializer="zeros", name="first")(inputs)
    x = layers.Add()([inputs, rectified, layers.Dense(6, kernel_initializer="zeros", name="second")(first)])
    spec = spec_of(keras.Model(inputs, layers.Dense(2)(layers.Dense(4)(x))), tmp_path)
    (finding,) = findings(RULE, spec)
    assert set(finding.layers) == {"rectified", "first"}


def test_zeros_that_are_meant(tmp_path: Path) -> None:
    """In a head, at the end of a residual branch, in front of a smooth activation."""
    inputs = keras.Input((6,))
    branch = layers.Dense(6, kernel_initializer="zeros")(layers.Dense(6, "relu")(inputs))
    x = layers.Add()([inputs, branch])
    x = layers.ReLU()(layers.Add()([x, layers.Dense(6, kernel_initializer="zeros")(x)]))
    x = layers.Dense(6, "tanh", kernel_initializer="zeros")(x)
    model = keras.Model(
        inputs, layers.Dense(2, kernel_initializer=keras.initializers.Zeros())(layers.Dense(4)(x))
    )
    assert findings(RULE, spec_of(model, tmp_path)) == []


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal", "random_normal", "orthogonal"])
def test_usual_initialisers(initializer: str, tmp_path: Path) -> None:
    assert findings(RULE, spec_of(stack(initializer), tmp_path)) == []


def test_a_normalised_output_may_have_any_scale(tmp_path: Path) -> None:
    large = keras.initializers.RandomNormal(stddev=5.0)
    assert findings(RULE, spec_of(stack(large, "linear", normalized=True), tmp_path)) == []


def test_without_kernels(tmp_path: Path) -> None:
    assert "no trainable kernel" in reason(
        RULE, spec_of(keras.Sequential([keras.Input((4,)), layers.ReLU()]), tmp_path)
    )

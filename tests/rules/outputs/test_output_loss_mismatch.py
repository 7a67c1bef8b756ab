from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from analyzers.rules.outputs.output_loss_mismatch import OutputLossMismatch
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = OutputLossMismatch()


def compiled(units: int, activation: str | None, loss: Any) -> keras.Model:
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(units, activation, name="out")]
    )
    model.compile(optimizer="adam", loss=loss)
    return model


@pytest.mark.parametrize(
    ("units", "activation", "loss", "severity"),
    [
        (5, None, "categorical_crossentropy", "error"),
        (5, "relu", "sparse_categorical_crossentropy", "error"),
        (1, None, "binary_crossentropy", "error"),
        (5, "tanh", "binary_crossentropy", "error"),
        (5, "softmax", keras.losses.SparseCategoricalCrossentropy(from_logits=True), "error"),
        (1, "sigmoid", keras.losses.BinaryCrossentropy(from_logits=True), "error"),
        (5, "relu", keras.losses.CategoricalCrossentropy(from_logits=True), "warning"),
        (5, "sigmoid", "categorical_crossentropy", "warning"),
        (5, "softmax", "binary_crossentropy", "warning"),
        (2, "softmax", "binary_crossentropy", "info"),
        (5, "softmax", "mse", "warning"),
        (1, "sigmoid", "mae", "warning"),
        (1, "sigmoid", "hinge", "warning"),
    ],
)
def test_pairs_that_do_not_belong_together(
    units: int, activation: str | None, loss: Any, severity: str, tmp_path: Path
) -> None:
    (finding,) = findings(RULE, spec_of(compiled(units, activation, loss), tmp_path))
    assert (finding.severity, finding.layers, finding.certain) == (severity, ("out",), False)


@pytest.mark.parametrize(
    ("units", "activation", "loss"),
    [
        (5, "softmax", "categorical_crossentropy"),
        (5, "softmax", keras.losses.CategoricalFocalCrossentropy()),
        (5, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
        (1, "sigmoid", "binary_crossentropy"),
        (5, "sigmoid", "binary_crossentropy"),
        (1, None, keras.losses.BinaryCrossentropy(from_logits=True)),
        (1, None, "mse"),
        (1, "relu", "mse"),
        (1, "tanh", "squared_hinge"),
        (5, "softmax", "kl_divergence"),
        (6, "sigmoid", "mse"),  # as wide as the input: an autoencoder
        (1, "softmax", "categorical_crossentropy"),  # single-unit-softmax tells it
        (1, "sigmoid", "categorical_crossentropy"),  # wrong-loss-for-output tells it
    ],
)
def test_pairs_that_belong_together(units: int, activation: str | None, loss: Any, tmp_path: Path) -> None:
    assert findings(RULE, spec_of(compiled(units, activation, loss), tmp_path)) == []


def test_the_activation_is_found_behind_reshapes_and_separate_layers(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    x = layers.Activation("softmax", name="probabilities")(layers.Dense(6)(inputs))
    x = layers.Activation("linear")(layers.Dropout(0.1)(layers.Reshape((2, 3))(x)))
    model = keras.Model(inputs, x)
    model.compile(loss="categorical_crossentropy")
    assert findings(RULE, spec_of(model, tmp_path)) == []
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.layers == ("probabilities",)


def test_the_head_is_found_inside_a_nested_model(tmp_path: Path) -> None:
    body = keras.Sequential([keras.Input((6,)), layers.Dense(5, name="logits")], name="body")
    inputs = keras.Input((6,))
    model = keras.Model(inputs, body(inputs))
    model.compile(loss="categorical_crossentropy")
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.layers == ("body/logits",)


def test_each_output_is_held_against_its_own_loss(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    left = layers.Dense(5, activation="softmax", name="left")(inputs)
    right = layers.Dense(5, name="right")(inputs)
    model = keras.Model(inputs, [left, right])
    model.compile(loss=["categorical_crossentropy", "categorical_crossentropy"])
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.layers == ("right",)


def test_masks_over_positions_may_be_squashed(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(inputs))
    model.compile(loss="mse")
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_other_losses_are_not_judged(tmp_path: Path) -> None:
    assert "Keras's own" in reason(RULE, spec_of(compiled(5, None, "cosine_similarity"), tmp_path))


def merged(merge: keras.layers.Layer, activation: str | None) -> keras.Model:
    inputs = keras.Input((6,))
    model = keras.Model(
        inputs, merge([layers.Dense(5, activation)(inputs), layers.Dense(5, activation)(inputs)])
    )
    model.compile(loss="categorical_crossentropy")
    return model


def test_merged_logits_are_logits(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(merged(layers.Add(name="sum"), None), tmp_path))
    assert finding.layers == ("sum",)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(5, name="logits")(inputs) / 2.0)
    model.compile(loss="categorical_crossentropy")
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.evidence["activation"] == "linear"


def test_averaged_probabilities_are_probabilities(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(merged(layers.Average(), "softmax"), tmp_path)) == []


def test_other_merges_are_not_judged(tmp_path: Path) -> None:
    assert "known activation" in reason(RULE, spec_of(merged(layers.Multiply(), None), tmp_path))

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.batch_normalization_after_activation import (
    BatchNormalizationAfterActivation,
)
from analyzers.spec import ModelSpec
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = BatchNormalizationAfterActivation()


def spec(path: Path, *body: keras.layers.Layer) -> ModelSpec:
    return spec_of(keras.Sequential([keras.Input((8, 8, 3)), *body, layers.Conv2D(2, 1)]), path)


def test_behind_activation_and_pooling(tmp_path: Path) -> None:
    normalization = layers.BatchNormalization(name="norm")
    body = (layers.Conv2D(4, 3), layers.ReLU(), layers.MaxPooling2D(), normalization)
    (finding,) = findings(RULE, spec(tmp_path, *body))
    assert (finding.severity, finding.layers) == ("info", ("norm",))
    fused = (layers.Conv2D(4, 3, activation="relu"), layers.Dropout(0.1), layers.BatchNormalization())
    assert len(findings(RULE, spec(tmp_path, *fused))) == 1


def test_in_front_of_the_activation_passes(tmp_path: Path) -> None:
    assert (
        findings(RULE, spec(tmp_path, layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU())) == []
    )


def test_on_the_input_passes(tmp_path: Path) -> None:
    assert findings(RULE, spec(tmp_path, layers.BatchNormalization(), layers.Conv2D(4, 3))) == []


def test_the_pre_activation_order_passes(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.MaxPooling2D()(layers.Conv2D(4, 3, activation="relu", padding="same")(inputs))
    for _ in range(2):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Concatenate()([x, layers.Conv2D(4, 3, padding="same")(y)])
    assert findings(RULE, spec_of(keras.Model(inputs, x), tmp_path)) == []


def test_no_normalization(tmp_path: Path) -> None:
    assert "no BatchNormalization" in reason(RULE, spec(tmp_path, layers.Conv2D(4, 3)))

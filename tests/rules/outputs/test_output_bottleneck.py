from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.outputs.output_bottleneck import OutputBottleneck
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = OutputBottleneck()


def model(width: int, classes: int, *, round_it: bool = False) -> keras.Model:
    inputs = keras.Input((64,))
    x = layers.Dense(64, "relu")(inputs)
    narrow = layers.Dense(width, "relu", name="narrow")(x)
    x = layers.Concatenate()([x, narrow]) if round_it else narrow
    return keras.Model(inputs, layers.Dense(classes, "softmax")(x))


def test_too_narrow_for_the_classes(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(5, 100), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("narrow",))
    assert finding.evidence["units_needed"] == 8


def test_wide_enough_or_with_a_way_round(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(8, 100), tmp_path)) == []
    assert findings(RULE, spec_of(model(3, 100, round_it=True), tmp_path)) == []


def test_filters_count_once_a_position(tmp_path: Path) -> None:
    body = [layers.Conv2D(1, 3, activation="relu"), layers.Flatten()]
    convolutional = keras.Sequential([keras.Input((16, 16, 3)), *body, layers.Dense(100, "softmax")])
    assert findings(RULE, spec_of(convolutional, tmp_path)) == []


def test_two_classes(tmp_path: Path) -> None:
    assert "three classes" in reason(RULE, spec_of(model(2, 2), tmp_path))

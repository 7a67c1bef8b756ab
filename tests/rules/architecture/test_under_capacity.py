from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.under_capacity import UnderCapacity
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = UnderCapacity()


def stack(*widths: int, features: int = 8) -> keras.Model:
    body = [layers.Dense(width, "relu", name=f"d{place}") for place, width in enumerate(widths)]
    return keras.Sequential([keras.Input((features,)), *body, layers.Dense(3, "softmax")])


def test_a_single_unit(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(stack(32, 1, 32), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("d1",))


def test_two_units_everywhere(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(stack(2, 2), tmp_path))
    assert finding.evidence["widest"] == 2


def test_a_gate_of_one_unit_has_a_way_round(tmp_path: Path) -> None:
    inputs = keras.Input((8,))
    gated = layers.Multiply()([layers.Dense(1, "sigmoid")(inputs), layers.Dense(16, "relu")(inputs)])
    assert findings(RULE, spec_of(keras.Model(inputs, layers.Dense(3)(gated)), tmp_path)) == []


def test_wide_enough_toys_and_maps(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(stack(4), tmp_path)) == []
    assert findings(RULE, spec_of(stack(2, features=2), tmp_path)) == []
    mapped = [layers.Conv2D(1, 3, activation="relu"), layers.Flatten(), layers.Dense(3)]
    assert findings(RULE, spec_of(keras.Sequential([keras.Input((8, 8, 1)), *mapped]), tmp_path)) == []


def test_without_hidden_layers(tmp_path: Path) -> None:
    assert "no hidden" in reason(RULE, spec_of(stack(), tmp_path))

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.weak_embedding import WeakEmbedding
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = WeakEmbedding()


def model(rows: int, width: int) -> keras.Model:
    body = [layers.Embedding(rows, width, name="words"), layers.Flatten(), layers.Dense(1)]
    return keras.Sequential([keras.Input((20,)), *body])


def test_one_number_a_word(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(1000, 1), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("words",))


def test_a_table_of_another_size(tmp_path: Path) -> None:
    spec = spec_of(model(1000, 16), tmp_path)
    layer = spec.layer("words")
    other = replace(layer, config={**layer.config, "input_dim": 2000})
    layers_ = tuple(other if one is layer else one for one in spec.layers)
    (finding,) = findings(RULE, replace(spec, layers=layers_))
    assert "[1000, 16]" in finding.explanation


def test_usual_tables_and_biases_beside_one(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(1000, 16), tmp_path)) == []
    assert findings(RULE, spec_of(model(2, 1), tmp_path)) == []
    user = keras.Input((1,))
    both = layers.Concatenate()([layers.Embedding(500, 8)(user), layers.Embedding(500, 1)(user)])
    assert findings(RULE, spec_of(keras.Model(user, layers.Flatten()(both)), tmp_path)) == []


def test_without_embedding(tmp_path: Path) -> None:
    dense = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    assert "no Embedding" in reason(RULE, spec_of(dense, tmp_path))

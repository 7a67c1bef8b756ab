from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.outputs.missing_flatten import MissingFlatten
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = MissingFlatten()


def model(*end: keras.layers.Layer, padding: str = "valid") -> keras.Model:
    body = [layers.Conv2D(4, 3, activation="relu", padding=padding), layers.MaxPooling2D()]
    made = keras.Sequential([keras.Input((32, 32, 3)), *(body if padding == "valid" else body[:1]), *end])
    made.compile(loss="categorical_crossentropy")
    return made


def test_a_dense_head_on_a_map(tmp_path: Path) -> None:
    (finding,) = findings(
        RULE, spec_of(model(layers.Dense(8, "relu"), layers.Dense(5, "softmax", name="out")), tmp_path)
    )
    assert (finding.severity, finding.layers, finding.certain) == ("error", ("out",), False)
    assert finding.evidence["output"] == "15x15x5"


def test_a_separate_softmax_in_a_nested_model(tmp_path: Path) -> None:
    inputs = keras.Input((32, 32, 3))
    left, right = layers.Conv2D(4, 3, strides=2)(inputs), layers.Conv2D(4, 3, strides=2)(inputs)
    head = keras.Sequential(
        [keras.Input((15, 15, 4)), layers.Dense(5), layers.Softmax(name="out")], name="head"
    )
    made = keras.Model(inputs, head(layers.Add()([left, right])))
    made.compile(loss="sparse_categorical_crossentropy")
    (finding,) = findings(RULE, spec_of(made, tmp_path))
    assert finding.layers == ("head/out",)


def test_labels_for_every_pixel(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(layers.Dense(5, "softmax"), padding="same"), tmp_path)) == []


def test_pooled_and_flattened_heads(tmp_path: Path) -> None:
    for pool in (layers.Flatten(), layers.GlobalAveragePooling2D()):
        assert "made by a Dense layer" in reason(
            RULE, spec_of(model(pool, layers.Dense(5, "softmax")), tmp_path)
        )


def test_convolutional_heads(tmp_path: Path) -> None:
    assert "made by a Dense layer" in reason(
        RULE, spec_of(model(layers.Conv2D(5, 1, activation="softmax")), tmp_path)
    )

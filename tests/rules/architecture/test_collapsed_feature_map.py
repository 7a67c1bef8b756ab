from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.collapsed_feature_map import CollapsedFeatureMap
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = CollapsedFeatureMap()


def stack(poolings: int, more: int, *, stride: int = 1) -> keras.Model:
    body: list[layers.Layer] = []
    for _ in range(poolings):
        body += [layers.Conv2D(4, 3, stride, "same", activation="relu"), layers.MaxPooling2D(padding="same")]
    body += [layers.Conv2D(4, 3, padding="same", activation="relu") for _ in range(more)]
    return keras.Sequential([keras.Input((16, 16, 3)), *body, layers.Flatten(), layers.Dense(2)])


def test_a_third_of_the_convolutions_on_one_cell(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(stack(4, 3), tmp_path))
    assert (finding.severity, finding.evidence) == ("warning", {"layers": 3, "spatial_convolutions": 7})


def test_a_collapsed_branch_in_a_nested_model(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    small = [
        layers.AveragePooling2D(8),
        *(layers.Conv2D(3, 3, padding="same", name=f"c{i}") for i in range(2)),
    ]
    branch = keras.Sequential([keras.Input((8, 8, 3)), *small], name="branch")
    x = layers.Add()([layers.UpSampling2D(8)(branch(inputs)), layers.Conv2D(3, 3, padding="same")(inputs)])
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Flatten()(x)), tmp_path))
    assert finding.layers == ("branch/c0", "branch/c1")


def test_strides_that_skip(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(stack(1, 0, stride=4), tmp_path))
    assert finding.title == "Strides that leave out pixels"


def test_maps_that_keep_a_size(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(stack(2, 4), tmp_path)) == []
    assert findings(RULE, spec_of(stack(4, 1), tmp_path)) == []


def test_without_convolutions(tmp_path: Path) -> None:
    dense = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    assert "neighbourhood" in reason(RULE, spec_of(dense, tmp_path))

"""Costs counted without Keras, against figures counted by hand and published ones."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.spec.cost import estimate
from tests.support import spec_of


def test_a_small_network_counted_by_hand(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            layers.Input(batch_shape=(30, 8, 8, 3)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(5, trainable=False),
        ]
    )
    cost = estimate(spec_of(model, tmp_path), batch=2)
    conv, norm, dense = 3 * 3 * 3 * 4 + 4, 4 * 4, 256 * 5 + 5
    assert cost.parameters == conv + norm + dense == model.count_params()
    assert cost.trainable_parameters == conv + 8
    assert cost.activation_elements == 2 * (192 + 3 * 256 + 5)
    assert cost.multiply_adds == 2 * (64 * 3 * 3 * 3 * 4 + 256 * 5)
    assert cost.largest_tensor == 256 * 5
    assert cost.unknown == ()


def test_a_shared_layer_is_counted_once_and_worked_twice(tmp_path: Path) -> None:
    one, other = layers.Input((4,)), layers.Input((4,))
    shared = layers.Dense(3)
    cost = estimate(spec_of(keras.Model([one, other], layers.Add()([shared(one), shared(other)])), tmp_path))
    assert cost.parameters == 15
    assert cost.multiply_adds == 24


def test_attention_and_recurrence(tmp_path: Path) -> None:
    inputs = layers.Input((10, 8))
    attended = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    model = keras.Model(inputs, layers.Bidirectional(layers.LSTM(4))(attended))
    cost = estimate(spec_of(model, tmp_path))
    attention = 3 * 10 * 8 * 6 + 2 * 10 * 10 * 6 + 10 * 6 * 8
    assert cost.parameters == model.count_params()
    assert cost.multiply_adds == attention + 2 * 10 * (8 + 4) * 16


def test_attention_on_tensors_given_by_name(tmp_path: Path) -> None:
    query, value = layers.Input((10, 8)), layers.Input((7, 5))
    model = keras.Model([query, value], layers.MultiHeadAttention(2, 3)(query, key=value, value=value))
    assert estimate(spec_of(model, tmp_path)).parameters == model.count_params()


def test_layers_of_unknown_shape_are_named(tmp_path: Path) -> None:
    inputs = layers.Input((8, 8, 3))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.MaxNumBoundingBoxes(2)(inputs))))
    cost = estimate(spec_of(model, tmp_path))
    assert set(cost.unknown) == {layer.name for layer in model.layers[1:]}
    assert cost.parameters == 0


@pytest.mark.parametrize(
    ("name", "parameters", "millions"),
    [("MobileNet", 4_253_864, 569), ("MobileNetV2", 3_538_984, 300)],
)
def test_published_counts(name: str, parameters: int, millions: int, tmp_path: Path) -> None:
    """MobileNet: 569 M multiply-adds (arXiv 1704.04861, table 4); V2: 300 M (arXiv 1801.04381, table 4)."""
    cost = estimate(spec_of(getattr(keras.applications, name)(weights=None), tmp_path))
    assert cost.parameters == parameters
    assert abs(cost.multiply_adds / (millions * 1e6) - 1) < 0.01

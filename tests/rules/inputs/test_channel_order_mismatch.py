from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.inputs.channel_order_mismatch import ChannelOrderMismatch
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = ChannelOrderMismatch()


def model(
    shape: tuple[int | None, ...], *front: keras.layers.Layer, order: str = "channels_last"
) -> keras.Model:
    convolution = layers.Conv2D(4, 3, padding="same", data_format=order, name="first")
    return keras.Sequential([keras.Input(shape), *front, convolution])


def test_channels_first_images_in_a_channels_last_convolution(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model((3, 64, 48), layers.Rescaling(1 / 255)), tmp_path))
    assert (finding.severity, finding.layers, finding.certain) == ("error", ("first",), False)
    assert "(2, 3, 1)" in finding.fix


def test_the_reverse(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model((64, 64, 3), order="channels_first"), tmp_path))
    assert finding.evidence["data_format"] == "channels_first"


@pytest.mark.parametrize("shape", [(64, 64, 3), (3, 64, 3), (3, 200, 20), (8, 64, 64), (3, 8, 8)])
def test_other_shapes(shape: tuple[int | None, ...], tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(shape), tmp_path)) == []


def test_turned_by_a_permutation_in_a_nested_model(tmp_path: Path) -> None:
    inputs = keras.Input((3, 64, 64))
    x = keras.Sequential([keras.Input((3, 64, 64)), layers.Permute((2, 3, 1))])(inputs)
    assert findings(RULE, spec_of(keras.Model(inputs, layers.Conv2D(4, 3)(x)), tmp_path)) == []


def test_without_images(tmp_path: Path) -> None:
    dense = keras.Sequential([keras.Input((3, 64, 64)), layers.Flatten(), layers.Dense(2)])
    assert "two-dimensional convolution" in reason(RULE, spec_of(dense, tmp_path))

"""Saved kernels behind a Flatten, fitted to a smaller image."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.building import assign_weights, build
from analyzers.probe.resampling import resample, shrink
from analyzers.spec.flatten import flatten
from tests.support import spec_of


@pytest.mark.parametrize(("rows", "columns", "height", "width"), [(8, 8, 4, 4), (7, 5, 3, 2), (6, 9, 6, 4)])
def test_shrinking_keeps_the_sum_over_positions(rows: int, columns: int, height: int, width: int) -> None:
    kernel = np.random.default_rng(0).normal(size=(rows, columns, 3)).astype(np.float32)

    found = shrink(kernel, height, width)

    assert found.shape == (height, width, 3)
    assert found.sum(axis=(0, 1)) == pytest.approx(kernel.sum(axis=(0, 1)), rel=1e-4)


def test_shrinking_to_the_same_size_changes_nothing() -> None:
    kernel = np.random.default_rng(0).normal(size=(5, 4, 2)).astype(np.float32)
    assert shrink(kernel, 5, 4) == pytest.approx(kernel)


def test_whole_cells_are_summed() -> None:
    kernel = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    expected = [[kernel[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].sum() for c in range(2)] for r in range(2)]
    assert shrink(kernel, 2, 2)[..., 0] == pytest.approx(np.array(expected))


def _network(size: int) -> keras.Model:
    inputs = keras.Input((size, size, 3), name="image")
    x = layers.AveragePooling2D(2, name="pool")(inputs)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.5, name="drop")(x)
    return keras.Model(inputs, layers.Dense(5, name="head")(x))


def test_the_answer_to_a_constant_map_is_kept(tmp_path: Path) -> None:
    native = _network(16)
    spec = spec_of(native, tmp_path)
    built = build(flatten(spec), input_shapes={"image": (None, 8, 8, 3)}, seed=0)
    missed = assign_weights(built, spec.weights)
    assert missed == ("head",)

    assert resample(built, built.spec, missed) == ()

    colour = np.array([0.3, -1.0, 2.0], np.float32)
    large, small = (np.broadcast_to(colour, (1, side, side, 3)) for side in (16, 8))
    expected, found = np.asarray(native(large)), np.asarray(built.model(small))
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert np.array(built.layers["head"].bias) == pytest.approx(np.array(native.get_layer("head").bias))


def test_a_kernel_that_does_not_fit_a_smaller_map_stays_fresh(tmp_path: Path) -> None:
    spec = spec_of(_network(8), tmp_path)
    built = build(flatten(spec), input_shapes={"image": (None, 16, 16, 3)}, seed=0)
    fresh = np.array(built.layers["head"].kernel)

    assert resample(built, built.spec, assign_weights(built, spec.weights)) == ("head",)
    np.testing.assert_array_equal(np.array(built.layers["head"].kernel), fresh)

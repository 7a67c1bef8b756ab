"""Features in units of their own, and what the graph makes of them."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.building import build
from analyzers.probe.feeds import Feed, feeds_of
from analyzers.probe.samples.scaling import DECADES, OFF_CENTRE, on_scale, own_units
from analyzers.spec import Array, ModelSpec
from analyzers.spec.flatten import flatten
from analyzers.spec.graph import Graph
from tests.support import spec_of


def _standardized(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape)


def _behind(layer: keras.Layer, shape: tuple[int, ...], folder: Path) -> tuple[ModelSpec, Feed]:
    inputs = keras.Input(shape)
    spec = spec_of(keras.Model(inputs, layers.Dense(2)(layer(inputs))), folder)
    (feed,) = feeds_of(Graph(spec))
    return spec, feed


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Normalization(mean=[5.0, -0.1, 300.0], variance=[4.0, 0.01, 1e4]), (3,)),
        (layers.Normalization(mean=[5.0, -0.1], variance=[4.0, 0.01]), (12, 2)),
        (layers.Rescaling(1 / 50.0, offset=-1.0), (4,)),
    ],
    ids=["table", "series", "one map for all"],
)
def test_the_graphs_own_scaling_undoes_the_units(
    layer: keras.Layer, shape: tuple[int, ...], tmp_path: Path
) -> None:
    spec, feed = _behind(layer, shape, tmp_path)
    given = _standardized(50, *shape)
    fed = on_scale(given, "unscaled", feed)

    built = build(flatten(spec), seed=0)
    (scaled,) = (one for path, one in built.layers.items() if isinstance(one, type(layer)))

    assert fed.dtype == np.float32
    assert np.asarray(scaled(fed)) == pytest.approx(given, abs=1e-3)
    assert not np.allclose(fed, given, atol=0.1)


@pytest.mark.parametrize("width", [1, 9, 40])
def test_without_such_a_map_units_are_ordinary_and_the_same_for_every_model(width: int) -> None:
    mean, std = own_units(Feed("one", "table", (width,)))
    again = own_units(Feed("another", "field", (20, width)))

    np.testing.assert_array_equal(mean, again[0])
    np.testing.assert_array_equal(std, again[1])
    assert mean.shape == std.shape == (width,)
    assert 10 ** DECADES[0] <= std.min() <= std.max() <= 10 ** DECADES[1]
    assert (np.abs(mean) <= OFF_CENTRE * std).all()
    fed = on_scale(_standardized(4000, width), "unscaled", Feed("one", "table", (width,)))
    assert fed.mean(axis=0) == pytest.approx(mean, abs=0.1 * std.max())
    assert fed.std(axis=0) == pytest.approx(std, rel=0.1)


def test_standardised_features_stay_as_they_are() -> None:
    given = _standardized(5, 4)
    np.testing.assert_array_equal(
        on_scale(given, "standardized", Feed("one", "table", (4,))), given.astype(np.float32)
    )

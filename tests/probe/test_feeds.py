"""What each input is fed, told from its shape, its type and the layers that read it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.probe.feeds import OPEN, Feed, FeedKind, NotProbedError, feeds_of
from analyzers.spec.graph import Graph
from tests.probe.graphs import Layer, chain
from tests.support import spec_of

HEAD: Layer = ("head", "Dense", {"units": 2})
CONVOLUTION: Layer = ("conv", "Conv2D", {"filters": 4, "kernel_size": 3})
RECURRENT: Layer = ("memory", "LSTM", {"units": 4})
FLAT: Layer = ("flat", "Flatten", {})
WORDS: Layer = ("words", "Embedding", {"input_dim": 50, "output_dim": 4})
CODED: Layer = ("coded", "CategoryEncoding", {"num_tokens": 7, "output_mode": "one_hot"})
VOLUME: Layer = ("conv", "Conv3D", {"filters": 4, "kernel_size": 3})


def _feed(body: Sequence[Layer], shape: Sequence[int | None], dtype: str = "float32") -> Feed:
    (feed,) = feeds_of(Graph(chain(body, (None, *shape), dtype=dtype)))
    return feed


@pytest.mark.parametrize(
    ("body", "shape", "kind", "grid", "channels"),
    [
        ([CONVOLUTION, FLAT, HEAD], (16, 12, 3), "image", (16, 12), 3),
        ([CONVOLUTION, FLAT, HEAD], (16, 12, 7), "image", (16, 12), 7),
        ([FLAT, HEAD], (28, 28), "image", (28, 28), 1),
        ([RECURRENT, HEAD], (20, 5), "field", (20,), 5),
        ([VOLUME, FLAT, HEAD], (8, 8, 8, 2), "field", (8, 8, 8), 2),
        ([HEAD], (9,), "table", (), 9),
        ([HEAD], (1,), "table", (), 1),
    ],
)
def test_numbers_are_told_by_their_axes(
    body: Sequence[Layer], shape: tuple[int, ...], kind: FeedKind, grid: tuple[int, ...], channels: int
) -> None:
    feed = _feed(body, shape)
    assert (feed.name, feed.kind, feed.shape, feed.vocabulary) == ("image", kind, shape, 0)
    assert (feed.grid, feed.channels, feed.size) == (grid, channels, math.prod(shape))
    values = np.zeros((3, *grid, channels))
    assert feed.as_fed(values).shape == (3, *shape)
    assert feed.as_fed(values).dtype == np.dtype(np.float32)


@pytest.mark.parametrize(("reader", "vocabulary"), [(WORDS, 50), (CODED, 7)])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
@pytest.mark.parametrize("shape", [(), (1,), (30,), (30, 4)])
def test_what_a_table_of_vectors_reads_is_tokens(
    reader: Layer, vocabulary: int, dtype: str, shape: tuple[int, ...]
) -> None:
    feed = _feed([reader, HEAD], shape, dtype)
    assert (feed.kind, feed.vocabulary, feed.shape, feed.grid) == ("tokens", vocabulary, shape, shape)
    fed = feed.as_fed(np.ones((3, *shape, 1), np.int64))
    assert fed.shape == (3, *shape)
    assert fed.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("body", "shape", "kind", "grid"),
    [
        ([CONVOLUTION, HEAD], (None, None, 3), "image", (OPEN["image"],) * 2),
        ([RECURRENT, HEAD], (None, 5), "field", (OPEN["field"],)),
        ([WORDS, HEAD], (None,), "tokens", (OPEN["tokens"],)),
    ],
)
def test_open_axes_have_a_usual_length(
    body: Sequence[Layer], shape: tuple[int | None, ...], kind: FeedKind, grid: tuple[int, ...]
) -> None:
    feed = _feed(body, shape, "int32" if kind == "tokens" else "float32")
    assert (feed.kind, feed.shape, feed.grid) == (kind, shape, grid)


def test_an_image_whose_channels_are_open_is_a_photograph() -> None:
    assert _feed([CONVOLUTION, HEAD], (16, 16, None)).shape == (16, 16, 3)


@pytest.mark.parametrize(
    ("body", "shape", "dtype", "reason"),
    [
        ([HEAD], (3,), "string", "image takes text"),
        ([HEAD], (3,), "int32", "int32 numbers that no Embedding reads"),
        ([HEAD], (3,), "bool", "bool numbers that no Embedding reads"),
        ([HEAD], (None,), "float32", r"\[None, None\], which leaves its width open"),
        ([RECURRENT, HEAD], (7, None), "float32", r"\[None, 7, None\], which leaves its width open"),
        ([HEAD], (), "float32", r"\[None\], which leaves its width open"),
    ],
)
def test_what_nobody_can_draw_is_refused_with_the_reason(
    body: Sequence[Layer], shape: tuple[int | None, ...], dtype: str, reason: str
) -> None:
    with pytest.raises(NotProbedError, match=reason):
        _feed(body, shape, dtype)


def test_features_keep_the_units_that_the_graph_expects() -> None:
    units: Layer = ("units", "Normalization", {"mean": [5.0, 0.1], "variance": [4.0, 0.01]})
    own = _feed([units, HEAD], (2,)).own
    assert own is not None
    assert np.ravel(own.scale) == pytest.approx([0.5, 10.0], rel=1e-3)
    assert np.ravel(own.offset) == pytest.approx([-2.5, -1.0], rel=1e-3)
    assert _feed([HEAD], (2,)).own is None
    unfitted: Layer = ("units", "Normalization", {"mean": [0.0, 0.0], "variance": [1.0, 1.0]})
    assert _feed([unfitted, HEAD], (2,)).own is None


def test_several_inputs_keep_the_models_order_and_share_the_smaller_vocabulary(tmp_path: Path) -> None:
    numbers, words = keras.Input((4,), name="numbers"), keras.Input((6,), name="words", dtype="int32")
    few, many = (layers.Flatten()(layers.Embedding(size, 3)(words)) for size in (20, 50))
    joined = layers.Concatenate()([numbers, few, many])
    spec = spec_of(keras.Model([words, numbers], layers.Dense(2)(joined)), tmp_path)
    assert [(feed.name, feed.kind, feed.vocabulary) for feed in feeds_of(Graph(spec))] == [
        ("words", "tokens", 20), ("numbers", "table", 0),
    ]  # fmt: skip

"""Images, series, volumes and tables: standardised, and telling."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.probe.feeds import Feed
from analyzers.probe.samples.fields import NOISE, SEPARATION, Field
from analyzers.spec import Array

FEEDS = {
    "image": Feed("input", "image", (16, 16, 3)),
    "grey image without a channel axis": Feed("input", "image", (28, 28)),
    "small image": Feed("input", "image", (8, 8, 1)),
    "series": Feed("input", "field", (40, 2)),
    "long series": Feed("input", "field", (500, 1)),
    "volume": Feed("input", "field", (8, 6, 5, 1)),
    "table": Feed("input", "table", (30,)),
    "table of one feature": Feed("input", "table", (1,)),
}
SIZE = 300


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _field(name: str, classes: int = 3, values: int = 0, *, local: bool = False, seed: int = 0) -> Field:
    return Field(FEEDS[name], classes, values, local, (seed,))


def _labels(classes: int, shape: tuple[int, ...], seed: int = 1) -> Array:
    return _rng(seed).permutation(np.arange(np.prod(shape)) % classes).reshape(shape)


@pytest.mark.parametrize("name", FEEDS)
@pytest.mark.parametrize("classes", [2, 5])
def test_samples_of_every_shape_are_standardised(name: str, classes: int) -> None:
    field = _field(name, classes)
    samples = field.samples(np.eye(classes)[_labels(classes, (SIZE,))], _rng())

    assert samples.shape == (SIZE, *field.feed.grid, field.feed.channels)
    assert samples.dtype == np.float32
    assert samples.mean() == pytest.approx(0.0, abs=0.1)
    assert samples.std() == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("name", FEEDS)
@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_nearest_template_tells_the_class(name: str, classes: int, seed: int) -> None:
    field = _field(name, classes, seed=seed)
    labels = _labels(classes, (SIZE,))
    samples = field.samples(np.eye(classes)[labels], _rng()).reshape(SIZE, 1, -1)
    templates = field.clean(np.eye(classes)).reshape(1, classes, -1)

    told = np.square(samples - templates).sum(axis=-1).argmin(axis=-1)

    assert (told == labels).mean() > 0.93


@pytest.mark.parametrize("name", ["image", "series", "volume", "long series"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_nearest_colour_tells_the_class_of_each_place(name: str, classes: int) -> None:
    field = _field(name, classes, local=True)
    grid = field.feed.grid
    labels = _labels(classes, (20, *grid))
    samples = field.samples(np.eye(classes)[labels], _rng())
    colours = field.clean(np.broadcast_to(np.eye(classes).reshape(classes, *(1 for _ in grid), classes),
                                          (classes, *grid, classes))).reshape(classes, -1, field.feed.channels)[:, 0]  # fmt: skip

    told = np.square(samples[..., None, :] - colours).sum(axis=-1).argmin(axis=-1)

    assert samples.std() == pytest.approx(1.0, abs=0.15)
    assert (told == labels).mean() > 0.95


@pytest.mark.parametrize("name", FEEDS)
def test_a_linear_readout_tells_the_numbers(name: str) -> None:
    """Least squares on one half, correlation on the other."""
    values = min(3, FEEDS[name].channels)
    field = _field(name, 0, values)
    numbers = _rng(1).normal(size=(2 * SIZE, values))
    samples = field.samples(numbers / np.sqrt(values), _rng()).reshape(2 * SIZE, -1)
    directions = field.clean(np.eye(values)).reshape(values, -1)
    seen = samples @ directions.T
    readout = np.linalg.lstsq(seen[:SIZE], numbers[:SIZE], rcond=None)[0]

    told = seen[SIZE:] @ readout

    assert samples.mean() == pytest.approx(0.0, abs=0.1)
    assert samples.std() == pytest.approx(1.0, abs=0.2)
    for number in range(values):
        assert np.corrcoef(told[:, number], numbers[SIZE:, number])[0, 1] > 0.9


@pytest.mark.parametrize("name", FEEDS)
def test_noise_leaves_the_most_alike_classes_apart_and_is_half_in_pairs(name: str) -> None:
    field = _field(name, 3)
    quiet = Field(field.feed, 3, 0, local=False, seed=(0,), quiet=True)
    templates = field.templates.reshape(3, -1)
    nearest = min(np.linalg.norm(templates[i] - templates[j]) for i in range(3) for j in range(i))
    assert field.noise == pytest.approx(min(NOISE, nearest / SEPARATION))
    assert quiet.noise == pytest.approx(field.noise / 2)


def test_samples_of_one_code_differ_and_follow_from_the_generator() -> None:
    field, codes = _field("image"), np.eye(3)[[0, 0]]
    first, again, other = (field.samples(codes, _rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert not np.allclose(first[0], first[1])


def test_what_is_clean_has_neither_noise_nor_texture() -> None:
    field, codes = _field("image"), np.eye(3)[_labels(3, (SIZE,))]
    samples, clean = field.samples(codes, _rng()), field.clean(codes)
    assert clean.shape == samples.shape
    assert np.ptp(clean[codes[:, 0] == 1], axis=0).max() == 0
    assert (samples - clean).mean() == pytest.approx(0.0, abs=0.05)


def test_classes_have_waves_of_their_own() -> None:
    for name, axes in (("series", 1), ("image", 2), ("volume", 3)):
        frequencies = _field(name, 4).frequencies
        assert frequencies.shape == (4, axes)
        assert len({tuple(row) for row in np.round(frequencies, 6)}) == 4

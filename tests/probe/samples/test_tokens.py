"""Token sequences: within the vocabulary, never padding, and telling."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.probe.feeds import Feed
from analyzers.probe.samples.tokens import LEAST_GRADED, TOKENS_A_SOURCE, Tokens
from analyzers.spec import Array

SIZE = 400


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _tokens(
    grid: tuple[int, ...], vocabulary: int, classes: int = 2, values: int = 0, *, local: bool = False
) -> Tokens:
    return Tokens(Feed("input", "tokens", grid, "int32", vocabulary), classes, values, local, (0,))


def _labels(classes: int, shape: tuple[int, ...]) -> Array:
    return _rng(1).permutation(np.arange(int(np.prod(shape))) % classes).reshape(shape)


def _counts(samples: Array, show: Tokens) -> Array:
    """(batch, sets): how many tokens of each sample belong to each set."""
    return np.stack(
        [np.isin(samples, own).reshape(len(samples), -1).sum(axis=-1) for own in show.sets], axis=-1
    )


@pytest.mark.parametrize("grid", [(), (1,), (40,), (20, 4)])
@pytest.mark.parametrize("vocabulary", [2, 5, 50, 20_000])
@pytest.mark.parametrize(("classes", "values"), [(2, 0), (5, 0), (0, 2), (3, 1)])
def test_tokens_are_of_the_vocabulary_and_never_padding(
    grid: tuple[int, ...], vocabulary: int, classes: int, values: int
) -> None:
    show = _tokens(grid, vocabulary, classes, values)
    samples = show.samples(_rng().normal(size=(50, classes + values)), _rng())
    assert samples.shape == (50, *grid, 1)
    assert np.issubdtype(samples.dtype, np.integer)
    assert 1 <= samples.min() <= samples.max() < max(vocabulary, 2)


@pytest.mark.parametrize("grid", [(), (8,), (40,), (300,), (20, 4)])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_counting_the_tokens_of_each_class_tells_it(grid: tuple[int, ...], classes: int) -> None:
    show = _tokens(grid, 2000, classes)
    labels = _labels(classes, (SIZE,))
    told = _counts(show.samples(np.eye(classes)[labels], _rng()), show).argmax(axis=-1)
    assert (told == labels).mean() > (0.85 if len(grid) and np.prod(grid) > 1 else 0.7)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_token_at_each_place_tells_its_class(classes: int) -> None:
    show = _tokens((30,), 2000, classes, local=True)
    labels = _labels(classes, (40, 30))
    samples = show.samples(np.eye(classes)[labels], _rng())[..., 0]
    told = np.stack([np.isin(samples, own) for own in show.sets], axis=-1).argmax(axis=-1)
    assert (told == labels).mean() > 0.85


def test_counting_the_tokens_of_each_sign_tells_a_number() -> None:
    show = _tokens((200,), 2000, classes=0, values=1)
    numbers = _rng(1).normal(size=(SIZE, 1))
    negative, positive = _counts(show.samples(numbers, _rng()), show).T
    assert np.corrcoef(positive - negative, numbers[:, 0])[0, 1] > 0.75


def test_every_source_has_a_few_tokens_of_its_own() -> None:
    show = _tokens((40,), 2000, classes=3, values=2)
    assert show.sets.shape == (3 + 2 * 2, TOKENS_A_SOURCE)
    assert len(np.unique(show.sets)) == show.sets.size


@pytest.mark.parametrize(
    ("length", "tells_all"), [(1, True), (LEAST_GRADED - 1, True), (LEAST_GRADED, False)]
)
def test_a_few_tokens_cannot_show_a_part_of_an_answer(length: int, tells_all: bool) -> None:
    assert _tokens((length,), 50).tells_all == tells_all


def test_samples_follow_from_the_generator() -> None:
    show, codes = _tokens((40,), 500), np.eye(2)[[0, 1]]
    first, again, other = (show.samples(codes, _rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()

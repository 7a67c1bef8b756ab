"""Answers first, and the codes by which inputs tell them."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.probe.samples.codes import (
    CELLS,
    DOMINANT,
    MARGIN,
    PAIR_CLASSES,
    Joint,
    local,
    nearest,
    smooth,
    whole,
)

SIZE = 400


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("size", "classes"), [(16, 4), (16, 5), (32, 2), (7, 3)])
@pytest.mark.parametrize("joint", ["single", "sum"])
def test_labels_are_balanced(size: int, classes: int, joint: Joint) -> None:
    labels = whole(size, classes, 0, telling=[False, False], joint=joint, rng=_rng()).labels
    counts = np.bincount(labels, minlength=classes)
    assert counts.sum() == size
    assert counts.max() - counts.min() <= 1


def test_a_single_input_shows_the_class_and_the_numbers() -> None:
    found = whole(SIZE, 3, 2, telling=[False], joint="single", rng=_rng())
    (code,) = found.shown
    assert code.shape == (SIZE, 5)
    np.testing.assert_array_equal(code[:, :3], np.eye(3)[found.labels])
    assert code[:, 3:] * np.sqrt(2) == pytest.approx(found.values)
    assert found.values.mean(axis=0) == pytest.approx(np.zeros(2), abs=0.15)
    assert found.values.var(axis=0) == pytest.approx(np.ones(2), abs=0.2)
    assert found.label_map is None
    assert found.value_map is None


@pytest.mark.parametrize("inputs", [2, 3])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_only_the_sum_of_several_inputs_tells_the_class_and_does_so_by_a_margin(
    inputs: int, classes: int
) -> None:
    found = whole(SIZE, classes, 0, telling=[False] * inputs, joint="sum", rng=_rng())
    total = np.sum(found.shown, axis=0)
    ranked = np.sort(total, axis=-1)

    np.testing.assert_array_equal(total.argmax(axis=-1), found.labels)
    least = MARGIN * np.sqrt(inputs / classes)
    assert (ranked[:, -1] - ranked[:, -2]).min() == pytest.approx(least, rel=0.05)
    for part in found.shown:
        alone = float((part.argmax(axis=-1) == found.labels).mean())
        assert 1 / classes < alone < 0.9


def test_numbers_are_the_sum_of_what_several_inputs_show() -> None:
    found = whole(SIZE, 0, 2, telling=[False, False], joint="sum", rng=_rng())
    total = np.sum(found.shown, axis=0)
    for number in range(2):
        assert np.corrcoef(total[:, number], found.values[:, number])[0, 1] == pytest.approx(1.0)
        assert np.corrcoef(found.shown[0][:, number], found.values[:, number])[0, 1] < 0.9


def test_an_input_that_cannot_show_a_part_shows_all() -> None:
    found = whole(SIZE, 3, 0, telling=[True, False], joint="sum", rng=_rng())
    np.testing.assert_array_equal(found.shown[0], np.eye(3)[found.labels])
    assert (found.shown[1].argmax(axis=-1) == found.labels).mean() > 0.99


def test_half_of_the_pairs_are_of_one_class() -> None:
    found = whole(SIZE, 2, 0, telling=[False, False], joint="pair", rng=_rng())
    first, second = (code.argmax(axis=-1) for code in found.shown)
    np.testing.assert_array_equal(first == second, found.labels == 1)
    assert found.labels.sum() == SIZE // 2
    for code in found.shown:
        assert code.shape == (SIZE, PAIR_CLASSES)
        assert np.bincount(code.argmax(axis=-1)) / SIZE == pytest.approx(
            np.full(PAIR_CLASSES, 1 / 3), abs=0.08
        )


@pytest.mark.parametrize("grid", [(16,), (16, 12), (5, 3), (8, 8, 8)])
def test_every_position_has_an_answer_that_inputs_show_on_grids_of_their_own(grid: tuple[int, ...]) -> None:
    other = tuple(2 * size for size in grid)
    found = local(20, 3, 2, [grid, grid, other], _rng())
    _, same, finer = found.shown

    assert found.label_map is not None
    assert found.value_map is not None
    assert found.label_map.shape == (20, *grid)
    assert found.value_map.shape == (20, *grid, 2)
    assert (same.shape, finer.shape) == ((20, *grid, 5), (20, *other, 5))
    np.testing.assert_array_equal(same[..., :3].argmax(axis=-1), found.label_map)
    assert same[..., 3:] == pytest.approx(found.value_map)
    every_second = (slice(None), *(slice(None, None, 2) for _ in grid))
    if all(size >= CELLS for size in grid):
        assert (finer[every_second][..., :3].argmax(axis=-1) == found.label_map).mean() > 0.99


def test_one_class_rules_each_sample() -> None:
    found = local(300, 3, 0, [(16, 16)], _rng())
    assert found.label_map is not None
    shares = (found.label_map == found.labels[:, None, None]).mean(axis=(1, 2))
    assert shares.mean() == pytest.approx(DOMINANT + (1 - DOMINANT) / 3, abs=0.03)
    assert np.bincount(found.label_map.ravel()) / found.label_map.size == pytest.approx(
        np.full(3, 1 / 3), abs=0.03
    )


def test_maps_are_read_at_the_nearest_place() -> None:
    maps = np.arange(4)[None]
    assert nearest(maps, (8,)).tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]]
    assert nearest(maps, (2,)).tolist() == [[0, 2]]
    assert nearest(maps, ()).tolist() == maps.tolist()
    assert nearest(np.arange(16).reshape(1, 4, 4), (2, 2)).tolist() == [[[0, 2], [8, 10]]]


def test_knots_are_joined_by_straight_lines() -> None:
    knots = np.array([0.0, 3.0, 6.0, 9.0])[None, :, None]
    assert smooth(knots, (10,))[0, :, 0] == pytest.approx(np.arange(10.0))
    assert smooth(knots, (4,)) == pytest.approx(knots)

"""Series: rows of digits, and others made by rule."""

from __future__ import annotations

import numpy as np

from tests.zoo.tasks.data.images import pixels
from tests.zoo.tasks.data.parts import Array, RealData, split

SAMPLES = 2000
STEPS = 48
RECALLED = 60
LABELLED = 20
WINDOW, AHEAD = 24, 6
PERIODS = (7.0, 12.0)


def digit_rows() -> RealData:
    """(8, 8): the rows of a digit as steps, in 0-1 -> 10 classes."""
    images, labels = pixels()
    return split((images[..., 0],), (labels,))


def waves() -> RealData:
    """(48, 1): a noisy wave of any phase and period -> sine, square or saw tooth."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, SAMPLES)
    phase, period = rng.uniform(0, 1, (SAMPLES, 1)), rng.uniform(8, 24, (SAMPLES, 1))
    turn = np.arange(STEPS) / period + phase
    shapes = np.stack([np.sin(2 * np.pi * turn), np.sign(np.sin(2 * np.pi * turn)), 2 * (turn % 1) - 1])
    shapes /= shapes.std(axis=2, keepdims=True)
    series = shapes[labels, np.arange(SAMPLES)] + 0.3 * rng.standard_normal((SAMPLES, STEPS))
    return split((series[..., None].astype("float32"),), (labels,))


def recall() -> RealData:
    """(60, 2): noise, in which the first step's sign is what is asked for at the end -> 2 classes."""
    rng = np.random.default_rng(0)
    series = 0.3 * rng.standard_normal((SAMPLES, RECALLED, 2))
    labels = rng.integers(0, 2, SAMPLES)
    series[:, 0, 0] = 2 * labels - 1
    return split((series.astype("float32"),), (labels,))


def recent_sum() -> RealData:
    """(20, 2) of normal noise -> at each step, whether the first column's last three sum to over 0, (20, 1)."""
    rng = np.random.default_rng(0)
    series = rng.standard_normal((SAMPLES, LABELLED, 2)).astype("float32")
    total = np.cumsum(series[..., 0], axis=1)
    total[:, 3:] -= total[:, :-3].copy()
    return split((series,), ((total > 0).astype("float32")[..., None],))


def season() -> RealData:
    """(24, 1) of two seasons and noise, standardised -> the next value, (1,)."""
    window = _season()
    return split((window[:, :WINDOW, None],), (window[:, WINDOW : WINDOW + 1],))


def season_ahead() -> RealData:
    """(24, 1) of the same -> the next six values, (6,)."""
    window = _season()
    return split((window[:, :WINDOW, None],), (window[:, WINDOW:],))


def _season() -> Array:
    """(2000, 30): windows at random places of one long series."""
    rng = np.random.default_rng(0)
    time = np.arange(5 * SAMPLES)
    series = sum(np.sin(2 * np.pi * time / period) for period in PERIODS)
    series = np.asarray(series + 0.2 * rng.standard_normal(len(time)))
    series = (series - series.mean()) / series.std()
    first = rng.integers(0, len(time) - WINDOW - AHEAD, SAMPLES)
    return np.asarray(series[first[:, None] + np.arange(WINDOW + AHEAD)], np.float32)

"""Standardised samples on the scales that real data comes in."""

from __future__ import annotations

from typing import Final

import numpy as np

from analyzers.probe.evidence import InputScale
from analyzers.probe.feeds import Feed
from analyzers.spec import Array

RAW_MEAN, RAW_STD = 120.0, 64.0
"""Mean and standard deviation of raw pixels: those of ImageNet (0.485/0.456/0.406, 0.229 x 255) and
CIFAR-10 (125/123/114, 63/62/67) rounded together."""

DECADES: Final = (-1.0, 2.5)
"""Decades of the standard deviations of features in units of their own: those of scikit-learn's wine and
breast cancer data reach from 0.003 to 570, most from 0.1 to 300."""

OFF_CENTRE: Final = 3.0
"""Standard deviations by which the mean of such a feature lies off zero, at most (in the same data)."""

_PIXELS: Final = {"raw": (1.0, 0.0), "0-1": (1 / 255, 0.0), "-1-1": (1 / 127.5, -1.0)}


def on_scale(standardized: Array, scale: InputScale, feed: Feed) -> Array:
    """Standardised values on another scale.

    Args:
        standardized: (batch, ..., channels), mean 0 and standard deviation 1.
        scale: the scale.
        feed: whose values they are.

    Returns:
        float32, shape unchanged.
    """
    if scale == "standardized":
        return standardized.astype(np.float32)
    if scale == "unscaled":
        mean, std = own_units(feed)
        return np.asarray(mean + std * standardized, np.float32)
    raw = np.clip(RAW_MEAN + RAW_STD * standardized, 0, 255)
    multiply, add = _PIXELS[scale]
    return np.asarray(raw * multiply + add, np.float32)


def own_units(feed: Feed) -> tuple[Array, Array]:
    """(channels,) mean and standard deviation of features in units of their own.

    Those which the graph's own map brings to mean 0 and standard deviation 1, else ordinary ones, the same
    for every model of that width.
    """
    if feed.own is not None:
        scale = np.broadcast_to(np.abs(feed.own.scale), (max(feed.own.scale.size, feed.own.offset.size),))
        if scale.size in (1, feed.channels):
            return np.asarray(-feed.own.offset / feed.own.scale), np.asarray(1 / scale)
    rng = np.random.default_rng(feed.channels)
    std = 10 ** rng.uniform(*DECADES, size=feed.channels)
    return np.asarray(std * rng.uniform(0, OFF_CENTRE, size=feed.channels)), np.asarray(std)

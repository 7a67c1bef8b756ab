"""The input shape of a Sequential whose file does not say it, from the kernels that were made for it.

tf.keras 2 built such models when they first saw data, and saved them without what it had seen.  A kernel
gives rank and channels; where a Flatten feeds a Dense layer, the Dense kernel gives the sides of a square too.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from analyzers.reading.layers import upgrade
from analyzers.reading.plain import sub_config
from analyzers.spec.kinds import DROPOUTS
from analyzers.spec.model import Json, Shape
from analyzers.spec.shapes import outputs_of

Kernels: TypeAlias = "Callable[[str], Shape | None]"
"""Layer name in the file -> the shape of its first array; None where it has none."""

LARGEST_SIDE: Final = 1024

_PASSING: Final = DROPOUTS | {
    "GaussianNoise",
    "Activation",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "Rescaling",
    "ActivityRegularization",
}
"""Kinds that say nothing of their input's shape and do not change it."""

_RECURRENT: Final = frozenset({"SimpleRNN", "LSTM", "GRU", "Bidirectional"})
_WINDOWS: Final = {
    **{f"{kind}{rank}D": rank for kind in ("Conv", "SeparableConv", "DepthwiseConv") for rank in (1, 2, 3)},
}
"""Convolution -> axes that its window slides over."""


def input_shape(items: Sequence[Mapping[str, Json]], kernels: Kernels, *, legacy: bool) -> list[Json] | None:
    """The batch shape that a Sequential was built on; None where its first kernel does not tell it.

    Args:
        items: its layers as the file serialized them.
        kernels: the arrays of the file.
        legacy: whether the file is older than Keras 3.
    """
    layers = [(str(sub_config(item).get("name")), upgrade(item, legacy=legacy)) for item in items]
    first = next((at for at, (_, layer) in enumerate(layers) if layer.kind not in _PASSING), None)
    if first is None or not layers[first][1].known:
        return None
    name, layer = layers[first]
    shape = _taken(layer.kind, layer.config, kernels(name))
    if shape is None:
        return None
    chain = [(name, layer.kind, layer.config) for name, layer in layers[first:]]
    return list(_sided(shape, chain, kernels, _WINDOWS.get(layer.kind, 0), layer.config))


def _taken(kind: str, config: Mapping[str, Json], kernel: Shape | None) -> Shape | None:
    """The shape of what a layer with that kernel takes, its sides open."""
    if kernel is None or None in kernel:
        return None
    if kind == "Dense" and len(kernel) == 2:
        return (None, kernel[0])
    if kind == "Embedding":
        return (None, None)
    if kind in _RECURRENT and len(kernel) == 2:
        return (None, None, kernel[0])
    rank = _WINDOWS.get(kind)
    if rank is None or len(kernel) != rank + 2:
        return None
    groups = config.get("groups", 1)
    channels = (kernel[-2] or 0) * (groups if isinstance(groups, int) else 1)
    sides = (None,) * rank
    return (
        (None, channels, *sides)
        if config.get("data_format") == "channels_first"
        else (None, *sides, channels)
    )


def _sided(
    shape: Shape,
    chain: Sequence[tuple[str, str, Mapping[str, Json]]],
    kernels: Kernels,
    rank: int,
    config: Mapping[str, Json],
) -> Shape:
    """``shape`` with equal sides, where a Flatten before a Dense tells them.

    Strides and pools round, so that several sides fit; the one that most twos divide is the most usual.
    """
    flat = next((at for at, (_, kind, _) in enumerate(chain) if kind == "Flatten"), None)
    dense = None if flat is None else next((one for one in chain[flat:] if one[1] == "Dense"), None)
    kernel = None if dense is None else kernels(dense[0])
    if not rank or kernel is None or len(kernel) != 2:
        return shape
    start = 2 if config.get("data_format") == "channels_first" else 1
    before = [(kind, settings) for _, kind, settings in chain[:flat]]

    def sided(side: int) -> Shape:
        return (*shape[:start], *(side,) * rank, *shape[start + rank :])

    def held(side: int) -> int:
        return _flattened(sided(side), before)

    sides = range(1, LARGEST_SIDE + 1)  # the elements never become fewer as the sides grow
    fitting = sides[
        bisect_left(sides, kernel[0] or 0, key=held) : bisect_right(sides, kernel[0] or 0, key=held)
    ]
    if not fitting or len(fitting) == len(sides):
        return shape
    return sided(max(fitting, key=lambda one: (one & -one, -one)))


def _flattened(shape: Shape, layers: Sequence[tuple[str, Mapping[str, Json]]]) -> int:
    """Elements that the layers make of a sample; 0 where it is too small for them."""
    try:
        for kind, config in layers:
            (shape,) = outputs_of(kind, config, (shape,))
    except (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError):
        return 0
    return math.prod(size or 0 for size in shape[1:])

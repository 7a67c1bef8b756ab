"""Lengths and positions of spatial axes: the arithmetic of windows, strides and padding."""

from __future__ import annotations

from collections.abc import Mapping

from analyzers.spec.model import Json, Shape


def per_axis(value: Json, rank: int, default: int = 1) -> tuple[int, ...]:
    """A window setting for every axis: one number stands for all of them."""
    if value is None:
        value = default
    if isinstance(value, list | tuple):
        if len(value) != rank:
            raise ValueError(f"{len(value)} sizes for {rank} axes")
        return tuple(whole(item) for item in value)
    return (whole(value),) * rank


def whole(value: Json) -> int:
    """A number of a config as an int.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return int(value)


def axis_in(value: Json, shape: Shape) -> int:
    """An axis of a shape, counted from its front.

    Raises:
        ValueError: it has no such axis.
    """
    axis = whole(value)
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"no axis {axis} in a shape of rank {len(shape)}")
    return axis % len(shape)


def pairs_per_axis(value: Json, rank: int) -> tuple[tuple[int, int], ...]:
    """Padding or cropping as (before, after) for every axis."""
    if not isinstance(value, list | tuple):
        return ((whole(value), whole(value)),) * rank
    if rank == 1 and len(value) == 2 and not any(isinstance(item, list | tuple) for item in value):
        return ((whole(value[0]), whole(value[1])),)
    if len(value) != rank:
        raise ValueError(f"{len(value)} margins for {rank} axes")
    found = []
    for item in value:
        before, after = item if isinstance(item, list | tuple) else (item, item)
        found.append((whole(before), whole(after)))
    return tuple(found)


def spatial_axes(config: Mapping[str, Json], rank: int) -> range:
    """The axes that a window slides over."""
    start = 2 if config.get("data_format") == "channels_first" else 1
    return range(start, start + rank)


def channel_axis(config: Mapping[str, Json], rank: int) -> int:
    """The axis of the channels of a map with ``rank`` spatial axes."""
    return 1 if config.get("data_format") == "channels_first" else rank + 1


def with_axes(shape: Shape, sizes: Mapping[int, int | None]) -> Shape:
    """``shape`` with some axes replaced."""
    return tuple(sizes.get(axis, dim) for axis, dim in enumerate(shape))


def slid(length: int | None, window: int, stride: int, padding: Json, dilation: int = 1) -> int | None:
    """Number of positions of a window: Keras's ``valid``, ``same`` and ``causal``."""
    if length is None:
        return None
    if padding != "valid":
        return -(-length // stride)
    positions = (length - (window - 1) * dilation - 1) // stride + 1
    if positions < 1:
        raise ValueError(f"a window of {window} does not fit {length}")
    return positions


def unslid(
    length: int | None, window: int, stride: int, padding: Json, *, dilation: int, extra: int | None
) -> int | None:
    """Length of a transposed convolution's output; ``extra`` is its output padding."""
    if length is None:
        return None
    span = (window - 1) * dilation + 1
    if extra is None:
        return length * stride + (max(span - stride, 0) if padding == "valid" else 0)
    trimmed = 0 if padding == "valid" else 2 * (span // 2)
    return (length - 1) * stride + span - trimmed + extra

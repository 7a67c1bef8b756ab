"""Shape rules of the operations that do more than follow one tensor: joining, splitting, choosing.

A rule raises ValueError, TypeError, IndexError, KeyError or ZeroDivisionError where settings and shapes do
not fit together, as those of ``analyzers.spec.shape_rules`` do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from analyzers.spec.model import Argument, Call, Shape, TensorRef
from analyzers.spec.operations import QUANTILES
from analyzers.spec.product_shapes import PRODUCT_RULES
from analyzers.spec.shape_rules import RULES, Config, Rule, Shapes, broadcast, listed, product, reduced, total
from analyzers.spec.windows import axis_in, channel_axis, per_axis, slid, spatial_axes, whole, with_axes

SeveralRule: TypeAlias = Callable[[Config, Shapes], Shapes]
CallRule: TypeAlias = Callable[[Config, Shapes, Call], Shape]
"""Also given the call, whose arguments may be numbers."""

MAX_PARTS: Final = 256
"""Most tensors that one operation may give."""

_IMAGE_RANK: Final = 2


def _pool(how: str) -> Rule:
    """A pooling of whatever rank its tensor has, by the rule of the layer."""

    def rule(config: Config, inputs: Shapes) -> Shape:
        return RULES[f"{how}Pooling{len(inputs[0]) - 2}D"](config, inputs)

    return rule


def _glu(config: Config, inputs: Shapes) -> Shape:
    axis = axis_in(config.get("axis", -1), inputs[0])
    return with_axes(inputs[0], {axis: _divided(inputs[0][axis], 2)})


def _divided(dim: int | None, parts: int) -> int | None:
    if dim is None:
        return None
    if dim % parts:
        raise ValueError(f"{dim} is not divided by {parts}")
    return dim // parts


def _moved(config: Config, inputs: Shapes) -> Shape:
    shape = inputs[0]
    sources = [axis_in(one, shape) for one in listed(config["source"])]
    places = [axis_in(one, shape) for one in listed(config["destination"])]
    order = [axis for axis in range(len(shape)) if axis not in sources]
    for place, source in sorted(zip(places, sources, strict=True)):
        order.insert(place, source)
    return tuple(shape[axis] for axis in order)


def _swapped(config: Config, inputs: Shapes) -> Shape:
    shape = inputs[0]
    one, two = axis_in(config["axis1"], shape), axis_in(config["axis2"], shape)
    return with_axes(shape, {one: shape[two], two: shape[one]})


def _rotated(config: Config, inputs: Shapes) -> Shape:
    shape = inputs[0]
    one, two = (axis_in(axis, shape) for axis in listed(config.get("axes", [0, 1])))
    odd = whole(config.get("k", 1)) % 2
    return with_axes(shape, {one: shape[two], two: shape[one]} if odd else {})


def _differences(config: Config, inputs: Shapes) -> Shape:
    axis = axis_in(config.get("axis", -1), inputs[0])
    dim = inputs[0][axis]
    return with_axes(inputs[0], {axis: None if dim is None else max(dim - whole(config.get("n", 1)), 0)})


def _without_diagonal(config: Config, inputs: Shapes) -> tuple[Shape, int | None]:
    """The other axes, and the diagonal's length."""
    shape = inputs[0]
    one, two = axis_in(config.get("axis1", 0), shape), axis_in(config.get("axis2", 1), shape)
    rest = tuple(dim for axis, dim in enumerate(shape) if axis not in (one, two))
    rows, columns, offset = shape[one], shape[two], whole(config.get("offset", 0))
    if rows is None or columns is None:
        return rest, None
    long = min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)
    return rest, max(long, 0)


def _diagonal(config: Config, inputs: Shapes) -> Shape:
    rest, length = _without_diagonal(config, inputs)
    return (*rest, length)


def _trace(config: Config, inputs: Shapes) -> Shape:
    return _without_diagonal(config, inputs)[0]


def _depth_to_space(config: Config, inputs: Shapes) -> Shape:
    size = whole(config["block_size"])
    channels = channel_axis(config, _IMAGE_RANK)
    sizes = {axis: product((inputs[0][axis], size)) for axis in spatial_axes(config, _IMAGE_RANK)}
    return with_axes(inputs[0], sizes | {channels: _divided(inputs[0][channels], size**2)})


def _space_to_depth(config: Config, inputs: Shapes) -> Shape:
    size = whole(config["block_size"])
    channels = channel_axis(config, _IMAGE_RANK)
    sizes = {axis: _divided(inputs[0][axis], size) for axis in spatial_axes(config, _IMAGE_RANK)}
    return with_axes(inputs[0], sizes | {channels: product((inputs[0][channels], size**2))})


def _joined(axis: int) -> Rule:
    """Concatenation along one axis."""

    def rule(_: Config, inputs: Shapes) -> Shape:
        return RULES["Concatenate"]({"axis": axis}, inputs)

    return rule


def _appended(config: Config, inputs: Shapes) -> Shape:
    axis = config.get("axis")
    if axis is None:
        return (total([product(shape) for shape in inputs]),)
    return RULES["Concatenate"]({"axis": axis}, inputs)


def _trapezoid(config: Config, inputs: Shapes) -> Shape:
    return reduced({"axis": config.get("axis", -1)}, inputs)


def _repeated(config: Config, inputs: Shapes) -> Shape:
    repeats, axis = [whole(one) for one in listed(config["repeats"])], config.get("axis")
    shape = (product(inputs[0]),) if axis is None else inputs[0]
    at = 0 if axis is None else axis_in(axis, shape)
    return with_axes(shape, {at: product((shape[at], repeats[0])) if len(repeats) == 1 else sum(repeats)})


def _padded(config: Config, inputs: Shapes) -> Shape:
    margins = [sum(whole(one) for one in listed(pair)) for pair in listed(config["pad_width"])]
    return tuple(None if dim is None else dim + more for dim, more in zip(inputs[0], margins, strict=True))


def _one_hot(config: Config, inputs: Shapes) -> Shape:
    shape = list(inputs[0])
    shape.insert(whole(config.get("axis", -1)) % (len(shape) + 1), whole(config["num_classes"]))
    return tuple(shape)


def _patches(config: Config, inputs: Shapes) -> Shape:
    shape, channels = inputs[0], channel_axis(config, _IMAGE_RANK)
    windows = per_axis(config["size"], _IMAGE_RANK)
    strides = windows if config.get("strides") is None else per_axis(config["strides"], _IMAGE_RANK)
    dilations = per_axis(config.get("dilation_rate"), _IMAGE_RANK)
    sizes = {
        axis: slid(shape[axis], window, stride, config.get("padding", "valid"), dilation)
        for axis, window, stride, dilation in zip(
            spatial_axes(config, _IMAGE_RANK), windows, strides, dilations, strict=True
        )
    }
    return with_axes(shape, sizes | {channels: product((shape[channels], *windows))})


def _resized(config: Config, inputs: Shapes) -> Shape:
    sides = (whole(one) for one in listed(config["size"]))
    return with_axes(inputs[0], dict(zip(_sides(config, inputs[0]), sides, strict=True)))


def _sides(config: Config, shape: Shape) -> tuple[int, int]:
    """Axes of height and width of an image or a batch of images."""
    first = config.get("data_format") == "channels_first"
    return (len(shape) - 2, len(shape) - 1) if first else (len(shape) - 3, len(shape) - 2)


def _fitted(how: str, sign: int) -> Rule:
    """Images that are cropped or padded by margins, or to a size."""

    def rule(config: Config, inputs: Shapes) -> Shape:
        shape, sizes = inputs[0], dict[int, int | None]()
        for axis, (before, after), side in zip(
            _sides(config, inputs[0]),
            (("top", "bottom"), ("left", "right")),
            ("height", "width"),
            strict=True,
        ):
            target, dim = config.get(f"target_{side}"), shape[axis]
            margins = [config.get(f"{name}_{how}") for name in (before, after)]
            if target is not None:
                sizes[axis] = whole(target)
            else:
                sizes[axis] = None if dim is None else dim + sign * sum(whole(one) for one in margins)
        return with_axes(shape, sizes)

    return rule


def _grey(config: Config, inputs: Shapes) -> Shape:
    first = config.get("data_format") == "channels_first"
    return with_axes(inputs[0], {len(inputs[0]) - 3 if first else len(inputs[0]) - 1: 1})


def _edges(config: Config, inputs: Shapes) -> Shape:
    return (*inputs[0], 2)


# --- several tensors --------------------------------------------------------------------------------------


def _bounded(parts: int) -> int:
    if not 0 < parts <= MAX_PARTS:
        raise ValueError(f"{parts} tensors")
    return parts


def _split(axis: int | None = None) -> SeveralRule:
    """Equal parts, or parts between indices."""

    def rule(config: Config, inputs: Shapes) -> Shapes:
        shape = inputs[0]
        at = axis_in(config.get("axis", 0) if axis is None else axis, shape)
        parts = config["indices_or_sections"]
        if isinstance(parts, list | tuple):
            _bounded(len(parts))
            stops = [*(whole(one) for one in parts), shape[at]]
            starts = [0, *stops[:-1]]
            sizes = [
                None if stop is None or start is None else max(stop - start, 0)
                for start, stop in zip(starts, stops, strict=True)
            ]
        else:
            sizes = [_divided(shape[at], whole(parts))] * _bounded(whole(parts))
        return tuple(with_axes(shape, {at: size}) for size in sizes)

    return rule


def _nearly_split(config: Config, inputs: Shapes) -> Shapes:
    parts, shape = config["indices_or_sections"], inputs[0]
    at = axis_in(config.get("axis", 0), shape)
    dim = shape[at]
    if isinstance(parts, list | tuple) or dim is None:
        return _split()(config, inputs)
    count = _bounded(whole(parts))
    small, longer = divmod(dim, count)
    return tuple(with_axes(shape, {at: small + (part < longer)}) for part in range(count))


def _unstacked(config: Config, inputs: Shapes) -> Shapes:
    shape = inputs[0]
    axis, number = axis_in(config.get("axis", 0), shape), config.get("num")
    count = shape[axis] if number is None else whole(number)
    if count is None or shape[axis] not in (None, count):
        raise ValueError("an open number of tensors, or a wrong one")
    return ((*shape[:axis], *shape[axis + 1 :]),) * _bounded(count)


def _top(config: Config, inputs: Shapes) -> Shapes:
    return ((*inputs[0][:-1], whole(config["k"])),) * 2


def _moments(config: Config, inputs: Shapes) -> Shapes:
    return (reduced({"axis": config["axes"], "keepdims": config.get("keepdims")}, inputs),) * 2


def _eigen(_: Config, inputs: Shapes) -> Shapes:
    return inputs[0][:-1], inputs[0]


def _shorter(shape: Shape) -> int | None:
    rows, columns = shape[-2:]
    return None if rows is None or columns is None else min(rows, columns)


def _orthogonal(config: Config, inputs: Shapes) -> Shapes:
    *batch, rows, columns = inputs[0]
    inner = rows if config.get("mode") == "complete" else _shorter(inputs[0])
    return (*batch, rows, inner), (*batch, inner, columns)


def _singular(config: Config, inputs: Shapes) -> Shapes:
    *batch, rows, columns = inputs[0]
    short = _shorter(inputs[0])
    full = config.get("full_matrices", True)
    left = rows if full else short
    return (*batch, rows, left), (*batch, short), (*batch, columns if full else short, columns)


def _frequencies(config: Config, inputs: Shapes) -> Shapes:
    length = config.get("fft_length")
    points = inputs[0][-1] if length is None else whole(length)
    shape = (*inputs[0][:-1], None if points is None else points // 2 + 1)
    return (shape, shape)


def _unchanged(_: Config, inputs: Shapes) -> Shapes:
    return inputs


# --- operations that are told a number in the call ----------------------------------------------------------


def _given(call: Call, position: int, name: str) -> Argument:
    return call.args[position] if len(call.args) > position else call.kwargs[name]


def _constant_shape(value: Argument) -> Shape:
    """The shape of a number or of nested tuples of numbers."""
    if not isinstance(value, tuple):
        return ()
    return (len(value), *(_constant_shape(value[0]) if value else ()))


def _taken(config: Config, inputs: Shapes, call: Call) -> Shape:
    given = _given(call, 1, "indices")
    indices = inputs[1] if isinstance(given, TensorRef) else _constant_shape(given)
    if config.get("axis") is None:
        return indices
    axis = axis_in(config["axis"], inputs[0])
    return (*inputs[0][:axis], *indices, *inputs[0][axis + 1 :])


def _taken_along(config: Config, inputs: Shapes, _: Call) -> Shape:
    if config.get("axis") is None:
        return inputs[1]
    axis = axis_in(config["axis"], inputs[0])
    open_there = [with_axes(shape, {axis: 1}) for shape in inputs]
    return with_axes(broadcast(open_there, trusting=True), {axis: inputs[1][axis]})


def _quantile(config: Config, inputs: Shapes, call: Call) -> Shape:
    given = _given(call, 1, "q")
    shares = inputs[1] if isinstance(given, TensorRef) else _constant_shape(given)
    return (*shares, *reduced(config, inputs[:1]))


OPERATION_RULES: Final[Mapping[str, Rule]] = {
    **PRODUCT_RULES,
    "AveragePool": _pool("Average"),
    "MaxPool": _pool("Max"),
    "Append": _appended,
    "CountNonzero": reduced,
    "CropImages": _fitted("cropping", -1),
    "DepthToSpace": _depth_to_space,
    "Diagonal": _diagonal,
    "Diff": _differences,
    "Dstack": _joined(2),
    "ExtractPatches": _patches,
    "Glu": _glu,
    "Hstack": _joined(1),
    "Isclose": lambda _, inputs: broadcast(inputs, trusting=True),
    "Moveaxis": _moved,
    "OneHot": _one_hot,
    "Pad": _padded,
    "PadImages": _fitted("padding", 1),
    "RGBToGrayscale": _grey,
    "Ravel": lambda _, inputs: (product(inputs[0]),),
    "Repeat": _repeated,
    "Resize": _resized,
    "Rot90": _rotated,
    "SobelEdges": _edges,
    "SpaceToDepth": _space_to_depth,
    "Swapaxes": _swapped,
    "Trace": _trace,
    "Trapezoid": _trapezoid,
    "Vstack": _joined(0),
}
"""Operation -> its shape rule."""

SEVERAL_RULES: Final[Mapping[str, SeveralRule]] = {
    "ArraySplit": _nearly_split,
    "Dsplit": _split(2),
    "Eigh": _eigen,
    **dict.fromkeys(("FFT", "FFT2", "IFFT2"), _unchanged),
    "Hsplit": _split(1),
    "Moments": _moments,
    "Qr": _orthogonal,
    "RFFT": _frequencies,
    "SVD": _singular,
    "Split": _split(),
    "TopK": _top,
    "Unstack": _unstacked,
}
"""Operation -> the shapes of the tensors that it gives."""

CALL_RULES: Final[Mapping[str, CallRule]] = {
    "Take": _taken,
    "TakeAlongAxis": _taken_along,
    **dict.fromkeys(QUANTILES, _quantile),
}
"""Operation -> its shape rule, given the call too."""

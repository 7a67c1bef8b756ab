"""One shape rule a kind: from a layer's config and its inputs' shapes to its output's, as Keras counts.

A rule raises ValueError, TypeError, IndexError, KeyError or ZeroDivisionError where they do not fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from analyzers.spec.kinds import AUGMENTATIONS, DROPOUTS
from analyzers.spec.model import Json, Shape
from analyzers.spec.operations import BINARY, PLACES, REDUCTIONS, SAME_SHAPE, UNARY
from analyzers.spec.windows import (
    channel_axis,
    pairs_per_axis,
    per_axis,
    slid,
    spatial_axes,
    unslid,
    whole,
    with_axes,
)

Shapes: TypeAlias = tuple[Shape, ...]
Config: TypeAlias = Mapping[str, Json]
Rule: TypeAlias = Callable[[Config, Shapes], Shape]
"""Config and the shapes of the call's positional tensors, in order -> the first output's shape."""


def _same(_: Config, inputs: Shapes) -> Shape:
    return inputs[0]


def _conv(rank: int) -> Rule:
    """A convolution of any kind: the window slides, the channels are the filters."""

    def rule(config: Config, inputs: Shapes) -> Shape:
        shape = _checked_rank(inputs[0], rank)
        windows = per_axis(config["kernel_size"], rank)
        strides = per_axis(config.get("strides"), rank)
        dilations = per_axis(config.get("dilation_rate"), rank)
        sizes: dict[int, int | None] = {
            axis: slid(shape[axis], window, stride, config.get("padding", "valid"), dilation)
            for axis, window, stride, dilation in zip(
                spatial_axes(config, rank), windows, strides, dilations, strict=True
            )
        }
        return with_axes(shape, sizes | {channel_axis(config, rank): _filters(config, shape, rank)})

    return rule


def _filters(config: Config, shape: Shape, rank: int) -> int | None:
    if "filters" in config:
        return whole(config["filters"])
    channels = shape[channel_axis(config, rank)]
    return None if channels is None else channels * whole(config.get("depth_multiplier", 1))


def _transposed(rank: int) -> Rule:
    """A transposed convolution: the sizes that the window would have slid from."""

    def rule(config: Config, inputs: Shapes) -> Shape:
        shape = _checked_rank(inputs[0], rank)
        extra = config.get("output_padding")
        extras = (None,) * rank if extra is None else per_axis(extra, rank)
        sizes: dict[int, int | None] = {
            axis: unslid(
                shape[axis], window, stride, config.get("padding", "valid"), dilation=dilation, extra=more
            )
            for axis, window, stride, dilation, more in zip(
                spatial_axes(config, rank),
                per_axis(config["kernel_size"], rank),
                per_axis(config.get("strides"), rank),
                per_axis(config.get("dilation_rate"), rank),
                extras,
                strict=True,
            )
        }
        return with_axes(shape, sizes | {channel_axis(config, rank): whole(config["filters"])})

    return rule


def _pool(rank: int) -> Rule:
    """Pooling: strides are the window's size unless given."""

    def rule(config: Config, inputs: Shapes) -> Shape:
        shape = _checked_rank(inputs[0], rank)
        windows = per_axis(config.get("pool_size"), rank, default=2)
        strides = windows if config.get("strides") is None else per_axis(config["strides"], rank)
        padding = config.get("padding", "valid")
        axes = spatial_axes(config, rank)
        return with_axes(
            shape,
            {
                axis: slid(shape[axis], window, stride, padding)
                for axis, window, stride in zip(axes, windows, strides, strict=True)
            },
        )

    return rule


def _adaptive_pool(rank: int) -> Rule:
    def rule(config: Config, inputs: Shapes) -> Shape:
        shape = _checked_rank(inputs[0], rank)
        sizes = per_axis(config["output_size"], rank)
        return with_axes(shape, dict(zip(spatial_axes(config, rank), sizes, strict=True)))

    return rule


def _global_pool(rank: int) -> Rule:
    def rule(config: Config, inputs: Shapes) -> Shape:
        shape = _checked_rank(inputs[0], rank)
        axes = spatial_axes(config, rank)
        if config.get("keepdims"):
            return with_axes(shape, dict.fromkeys(axes, 1))
        return tuple(dim for axis, dim in enumerate(shape) if axis not in axes)

    return rule


def _margins(rank: int, key: str, sign: int, default: int) -> Rule:
    """Padding (``sign`` 1) and cropping (-1) by the argument ``key``."""

    def rule(config: Config, inputs: Shapes) -> Shape:
        shape = _checked_rank(inputs[0], rank)
        sizes: dict[int, int | None] = {}
        margins = pairs_per_axis(config.get(key, default), rank)
        for axis, (before, after) in zip(spatial_axes(config, rank), margins, strict=True):
            dim = shape[axis]
            sizes[axis] = None if dim is None else dim + sign * (before + after)
            if dim is not None and dim + sign * (before + after) < 0:
                raise ValueError("cropped to less than nothing")
        return with_axes(shape, sizes)

    return rule


def _upsample(rank: int) -> Rule:
    def rule(config: Config, inputs: Shapes) -> Shape:
        shape = _checked_rank(inputs[0], rank)
        factors = per_axis(config.get("size"), rank, default=2)
        return with_axes(
            shape,
            {
                axis: product((shape[axis], factor))
                for axis, factor in zip(spatial_axes(config, rank), factors, strict=True)
            },
        )

    return rule


def _resized(config: Config, inputs: Shapes) -> Shape:
    height, width = spatial_axes(config, 2)
    shape = _checked_rank(inputs[0], 2)
    return with_axes(shape, {height: whole(config["height"]), width: whole(config["width"])})


def _flatten(_: Config, inputs: Shapes) -> Shape:
    return (inputs[0][0], product(inputs[0][1:]))


def _reshape(config: Config, inputs: Shapes) -> Shape:
    batch, *rest = inputs[0]
    target = [whole(item) for item in listed(config["target_shape"])]
    if -1 not in target:
        return (batch, *target)
    held, known = product(rest), math.prod(dim for dim in target if dim != -1)
    if held is not None and held % known:
        raise ValueError("the elements do not fit the target shape")
    return (batch, *(dim if dim != -1 else None if held is None else held // known for dim in target))


def _permute(config: Config, inputs: Shapes) -> Shape:
    return (inputs[0][0], *(inputs[0][whole(axis)] for axis in listed(config["dims"])))


def _repeat(config: Config, inputs: Shapes) -> Shape:
    batch, features = inputs[0]
    return (batch, whole(config["n"]), features)


def broadcast(shapes: Sequence[Shape], *, trusting: bool = False) -> Shape:
    """The shape of an elementwise operation on tensors, aligned at the last axis.

    Args:
        shapes: of the operands.
        trusting: take an open dimension beside a known one for the known one, as Keras's operations do;
            its merge layers leave it open.

    Raises:
        ValueError: the shapes do not fit together.
    """
    result = shapes[0]
    for shape in shapes[1:]:
        longer, shorter = (result, shape) if len(result) >= len(shape) else (shape, result)
        head = len(longer) - len(shorter)
        joined = [_broadcast_dim(a, b, trusting) for a, b in zip(longer[head:], shorter, strict=True)]
        result = (*longer[:head], *joined)
    return result


def _broadcast_dim(a: int | None, b: int | None, trusting: bool) -> int | None:
    if a in {1, b}:
        return b
    if b == 1:
        return a
    if a is None or b is None:
        return (a or b) if trusting else None
    raise ValueError(f"dimensions {a} and {b} do not fit together")


def _merge(_: Config, inputs: Shapes) -> Shape:
    batches = {shape[0] for shape in inputs} - {None}
    rest = broadcast([shape[1:] for shape in inputs])
    return (batches.pop() if len(batches) == 1 else None, *rest)


def _concatenate(config: Config, inputs: Shapes) -> Shape:
    rank = len(inputs[0])
    axis = whole(config.get("axis", -1)) % rank
    if any(len(shape) != rank for shape in inputs):
        raise ValueError("tensors of different ranks are concatenated")
    joined = [next((dim for dim in dims if dim is not None), None) for dims in zip(*inputs, strict=True)]
    joined[axis] = total([shape[axis] for shape in inputs])
    return tuple(joined)


def _dot(config: Config, inputs: Shapes) -> Shape:
    first, second = inputs
    axes = config["axes"]
    one, two = axes if isinstance(axes, list | tuple) else (axes, axes)
    one, two = whole(one) % len(first), whole(two) % len(second)
    left = [dim for axis, dim in enumerate(first) if axis != one]
    right = [dim for axis, dim in enumerate(second) if axis not in (0, two)]
    return (*left, *right) if len(left) + len(right) > 1 else (*left, 1)


def _dense(config: Config, inputs: Shapes) -> Shape:
    return (*inputs[0][:-1], whole(config["units"]))


def _einsum(config: Config, inputs: Shapes) -> Shape:
    """Axes that ``output_shape`` leaves open have the input's size; Keras forgets it, a budget must not."""
    source, _, output = einsum_letters(config)
    sizes = dict(zip(source, inputs[0], strict=True))
    given = [dim if isinstance(dim, int) else None for dim in listed(config["output_shape"])]
    sizes |= {letter: dim for letter, dim in zip(output[1:], given, strict=True) if dim is not None}
    return tuple(sizes.get(letter) for letter in output)


def einsum_letters(config: Config) -> tuple[str, str, str]:
    """The axes of an EinsumDense's input, kernel and output, a letter each.

    Raises:
        ValueError: the equation leaves axes open with an ellipsis, or is none.
    """
    left, arrow, output = str(config["equation"]).replace(" ", "").partition("->")
    source, comma, kernel = left.partition(",")
    if not arrow or not comma or not f"{source}{kernel}{output}".isalpha():
        raise ValueError("the axes are not all named")
    return source, kernel, output


def _encoded(config: Config, inputs: Shapes) -> Shape:
    shape, size = inputs[0], whole(config["num_tokens"])
    if config.get("output_mode", "multi_hot") == "one_hot" and (shape[-1] != 1 or len(shape) == 1):
        return (*shape, size)
    return (*shape[:-1], size)


def _binned(config: Config, inputs: Shapes) -> Shape:
    shape, bins = inputs[0], len(listed(config["bin_boundaries"])) + 1
    mode = config.get("output_mode", "int")
    if mode == "int":
        return shape
    if mode == "one_hot":
        return (*(shape[:-1] if shape[-1] == 1 and len(shape) > 1 else shape), bins)
    return (shape[0], *shape[2:], bins)


def _embedding(config: Config, inputs: Shapes) -> Shape:
    return (*inputs[0], whole(config["output_dim"]))


def _attention(_: Config, inputs: Shapes) -> Shape:
    return (*inputs[0][:-1], inputs[1][-1])


def _multi_head(config: Config, inputs: Shapes) -> Shape:
    output = config.get("output_shape")
    if output is None:
        return inputs[0]
    return (*inputs[0][:-1], *(whole(item) for item in (output if isinstance(output, list) else [output])))


def reduced(config: Config, inputs: Shapes) -> Shape:
    """What is left when the axes of ``config["axis"]`` (all, where it is None) become one number."""
    shape = inputs[0]
    axis = config.get("axis")
    axes = set(range(len(shape))) if axis is None else {whole(one) % len(shape) for one in listed(axis)}
    if config.get("keepdims"):
        return with_axes(shape, dict.fromkeys(axes, 1))
    return tuple(dim for number, dim in enumerate(shape) if number not in axes)


def _expanded(config: Config, inputs: Shapes) -> Shape:
    axes = listed(config["axis"])
    shape = list(inputs[0])
    rank = len(shape) + len(axes)
    for axis in sorted(whole(one) % rank for one in axes):
        shape.insert(axis, 1)
    return tuple(shape)


def _squeezed(config: Config, inputs: Shapes) -> Shape:
    shape = inputs[0]
    if config.get("axis") is None:
        return tuple(dim for dim in shape if dim != 1)
    axes = {whole(one) % len(shape) for one in listed(config["axis"])}
    return tuple(dim for number, dim in enumerate(shape) if number not in axes)


def _transpose(config: Config, inputs: Shapes) -> Shape:
    if config.get("axes") is None:
        return inputs[0][::-1]
    return tuple(inputs[0][whole(axis)] for axis in listed(config["axes"]))


def _matmul(_: Config, inputs: Shapes) -> Shape:
    first, second = inputs
    if len(first) < 2 or len(second) < 2:
        raise ValueError("a vector in a matrix product")
    return (*broadcast([first[:-2], second[:-2]], trusting=True), first[-2], second[-1])


def _tiled(config: Config, inputs: Shapes) -> Shape:
    repeats = [whole(item) for item in listed(config["repeats"])]
    shape = (1,) * (len(repeats) - len(inputs[0])) + inputs[0]
    repeats = [1] * (len(shape) - len(repeats)) + repeats
    return tuple(product((dim, times)) for dim, times in zip(shape, repeats, strict=True))


def _stacked(config: Config, inputs: Shapes) -> Shape:
    shape = list(inputs[0])
    shape.insert(whole(config.get("axis", 0)) % (len(shape) + 1), len(inputs))
    return tuple(shape)


def _checked_rank(shape: Shape, rank: int) -> Shape:
    if len(shape) != rank + 2:
        raise ValueError(f"a shape of rank {len(shape)} where {rank + 2} is due")
    return shape


def listed(value: Json) -> Sequence[Json]:
    """``value``, or a list of it where it is none."""
    return value if isinstance(value, list | tuple) else [value]


def product(dims: Sequence[int | None]) -> int | None:
    """Product of dimensions; None where one is open."""
    return None if any(dim is None for dim in dims) else math.prod(dim for dim in dims if dim is not None)


def total(dims: Sequence[int | None]) -> int | None:
    """Sum of dimensions; None where one is open."""
    return None if any(dim is None for dim in dims) else sum(dim for dim in dims if dim is not None)


_UNCHANGED: Final = (
    *(AUGMENTATIONS - {"RandomCrop", "RandomHeight", "RandomWidth"}),
    *DROPOUTS,
    *("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "Identity", "Masking", "GaussianNoise"),
    *("ActivityRegularization", "BatchNormalization", "LayerNormalization", "GroupNormalization"),
    *("RMSNormalization", "UnitNormalization", "InstanceNormalization", "Rescaling", "Normalization"),
    *("LayerScale", "StochasticDepth", "CustomScaleLayer"),
    *UNARY,
    *SAME_SHAPE,
)

RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(_UNCHANGED, _same),
    **{f"Conv{rank}D": _conv(rank) for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": _transposed(rank) for rank in (1, 2, 3)},
    **{f"{kind}Conv{rank}D": _conv(rank) for kind in ("Depthwise", "Separable") for rank in (1, 2)},
    **{f"{how}Pooling{rank}D": _pool(rank) for how in ("Max", "Average") for rank in (1, 2, 3)},
    **{f"Global{how}Pooling{rank}D": _global_pool(rank) for how in ("Max", "Average") for rank in (1, 2, 3)},
    **{
        f"Adaptive{how}Pooling{rank}D": _adaptive_pool(rank)
        for how in ("Max", "Average")
        for rank in (1, 2, 3)
    },
    **{f"ZeroPadding{rank}D": _margins(rank, "padding", 1, 1) for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": _margins(rank, "cropping", -1, 0 if rank == 2 else 1) for rank in (1, 2, 3)},
    **{f"UpSampling{rank}D": _upsample(rank) for rank in (1, 2, 3)},
    **dict.fromkeys(("Resizing", "CenterCrop", "RandomCrop"), _resized),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), _merge),
    **dict.fromkeys(BINARY | {"Where"}, lambda _, inputs: broadcast(inputs, trusting=True)),
    "Concatenate": _concatenate,
    "Dot": _dot,
    "Dense": _dense,
    "EinsumDense": _einsum,
    "CategoryEncoding": _encoded,
    "Discretization": _binned,
    "Embedding": _embedding,
    "MultiHeadAttention": _multi_head,
    "GroupQueryAttention": _same,
    **dict.fromkeys(("Attention", "AdditiveAttention"), _attention),
    **dict.fromkeys(REDUCTIONS | PLACES, reduced),
    "ExpandDims": _expanded,
    "Squeeze": _squeezed,
    "Transpose": _transpose,
    "Matmul": _matmul,
    "Tile": _tiled,
    "Stack": _stacked,
}
"""Kind -> its shape rule; wrappers, recurrent layers and indexing are in ``analyzers.spec.shapes``."""

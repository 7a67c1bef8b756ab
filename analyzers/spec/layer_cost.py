"""The weights that a layer has once it is built, and the multiply-adds of one of its calls.

One rule a kind; a kind without a rule has no weights or does no multiply-adds worth counting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from analyzers.spec.model import Json, Shape
from analyzers.spec.product_shapes import einsum_terms
from analyzers.spec.shape_rules import Config, Shapes, einsum_letters
from analyzers.spec.shapes import CONV_LSTM, conv_lstm_step, inner_layer, outputs_of
from analyzers.spec.windows import channel_axis, per_axis, spatial_axes, whole


@dataclass(frozen=True)
class Weight:
    """One weight: its role (``TensorInfo.role``), shape, and whether training changes it."""

    role: str
    shape: tuple[int, ...]
    trainable: bool = True

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


WeightRule: TypeAlias = Callable[[Config, Shapes], Iterator[Weight]]
WorkRule: TypeAlias = Callable[[Config, Shapes, Shape], int]
"""Config, shapes of the call's positional tensors, first output -> multiply-adds for one sample."""

_REFUSED: Final = (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError)


def layer_weights(kind: str, config: Config, inputs: Shapes) -> tuple[Weight, ...]:
    """The weights of a layer called on ``inputs``, in Keras's creation order; none where they are unknown."""
    rule = WEIGHTS.get(kind)
    if rule is None or not inputs:
        return ()
    try:
        return tuple(rule(config, inputs))
    except _REFUSED:
        return ()


def multiply_adds(kind: str, config: Config, inputs: Shapes, output: Shape) -> int:
    """Multiply-adds of one call for one sample; open dimensions count as 1."""
    rule = WORK.get(kind)
    if rule is None or not inputs:
        return 0
    try:
        return rule(config, inputs, output)
    except _REFUSED:
        return 0


def elements(dims: Sequence[int | None]) -> int:
    """Product of dimensions, open ones counting as 1."""
    return math.prod(1 if dim is None else dim for dim in dims)


def _dim(dim: int | None) -> int:
    if dim is None:
        raise ValueError("a weight's size depends on an open dimension")
    return dim


def _axes(value: Json, rank: int) -> list[int]:
    listed = value if isinstance(value, list | tuple) else [value]
    return sorted(whole(axis) % rank for axis in listed)


def _bias(config: Config, *shape: int) -> Iterator[Weight]:
    if config.get("use_bias", True):
        yield Weight("bias", shape)


def _conv(rank: int) -> WeightRule:
    def rule(config: Config, inputs: Shapes) -> Iterator[Weight]:
        channels, filters = _dim(inputs[0][channel_axis(config, rank)]), whole(config["filters"])
        window = per_axis(config["kernel_size"], rank)
        yield Weight("kernel", (*window, channels // whole(config.get("groups", 1)), filters))
        yield from _bias(config, filters)

    return rule


def _transposed(rank: int) -> WeightRule:
    def rule(config: Config, inputs: Shapes) -> Iterator[Weight]:
        channels, filters = _dim(inputs[0][channel_axis(config, rank)]), whole(config["filters"])
        yield Weight("kernel", (*per_axis(config["kernel_size"], rank), filters, channels))
        yield from _bias(config, filters)

    return rule


def _depthwise(rank: int) -> WeightRule:
    def rule(config: Config, inputs: Shapes) -> Iterator[Weight]:
        channels, factor = (
            _dim(inputs[0][channel_axis(config, rank)]),
            whole(config.get("depth_multiplier", 1)),
        )
        yield Weight("kernel", (*per_axis(config["kernel_size"], rank), channels, factor))
        yield from _bias(config, channels * factor)

    return rule


def _separable(rank: int) -> WeightRule:
    def rule(config: Config, inputs: Shapes) -> Iterator[Weight]:
        channels, factor = (
            _dim(inputs[0][channel_axis(config, rank)]),
            whole(config.get("depth_multiplier", 1)),
        )
        filters = whole(config["filters"])
        yield Weight("depthwise_kernel", (*per_axis(config["kernel_size"], rank), channels, factor))
        yield Weight("pointwise_kernel", (*(1,) * rank, channels * factor, filters))
        yield from _bias(config, filters)

    return rule


def _dense(config: Config, inputs: Shapes) -> Iterator[Weight]:
    units = whole(config["units"])
    yield Weight("kernel", (_dim(inputs[0][-1]), units))
    yield from _bias(config, units)


def _embedding(config: Config, _: Shapes) -> Iterator[Weight]:
    yield Weight("embeddings", (whole(config["input_dim"]), whole(config["output_dim"])))


def _affine(config: Config, inputs: Shapes) -> Iterator[Weight]:
    shape = inputs[0]
    sizes = tuple(_dim(shape[axis]) for axis in _axes(config.get("axis", -1), len(shape)))
    if config.get("scale", True):
        yield Weight("gamma", sizes)
    if config.get("center", True):
        yield Weight("beta", sizes)


def _batch_norm(config: Config, inputs: Shapes) -> Iterator[Weight]:
    yield from _affine(config, inputs)
    shape = inputs[0]
    (axis,) = _axes(config.get("axis", -1), len(shape))
    for role in ("moving_mean", "moving_variance"):
        yield Weight(role, (_dim(shape[axis]),), trainable=False)


def _instance_norm(config: Config, inputs: Shapes) -> Iterator[Weight]:
    axis = config.get("axis")
    size = 1 if axis is None else _dim(inputs[0][whole(axis)])
    for role, setting in (("gamma", "scale"), ("beta", "center")):
        if config.get(setting, True):
            yield Weight(role, (size,))


def _rms_norm(config: Config, inputs: Shapes) -> Iterator[Weight]:
    shape = inputs[0]
    yield Weight("scale", tuple(_dim(shape[axis]) for axis in _axes(config.get("axis", -1), len(shape))))


def _normalization(config: Config, inputs: Shapes) -> Iterator[Weight]:
    if config.get("mean") is not None:
        return
    shape, axis = inputs[0], config.get("axis", -1)
    sizes = () if axis is None else tuple(_dim(shape[one]) for one in _axes(axis, len(shape)))
    yield Weight("mean", sizes, trainable=False)
    yield Weight("variance", sizes, trainable=False)
    yield Weight("count", (), trainable=False)


def _layer_scale(config: Config, _: Shapes) -> Iterator[Weight]:
    yield Weight("gamma", (whole(config["projection_dim"]),))


def _prelu(config: Config, inputs: Shapes) -> Iterator[Weight]:
    shared = config.get("shared_axes") or []
    axes = {whole(axis) for axis in (shared if isinstance(shared, list | tuple) else [shared])}
    yield Weight(
        "alpha", tuple(1 if axis in axes else _dim(dim) for axis, dim in enumerate(inputs[0]) if axis)
    )


_GATES: Final = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}


def _recurrent(kind: str) -> WeightRule:
    def rule(config: Config, inputs: Shapes) -> Iterator[Weight]:
        units = whole(config["units"])
        width = units * _GATES[kind]
        yield Weight("kernel", (_dim(inputs[0][-1]), width))
        yield Weight("recurrent_kernel", (units, width))
        double = kind == "GRU" and config.get("reset_after", True)
        yield from _bias(config, *((2, width) if double else (width,)))

    return rule


def _conv_lstm(rank: int) -> WeightRule:
    def rule(config: Config, inputs: Shapes) -> Iterator[Weight]:
        channels = _dim(conv_lstm_step(inputs)[channel_axis(config, rank)])
        filters, window = whole(config["filters"]), per_axis(config["kernel_size"], rank)
        width = filters * _GATES["LSTM"]
        yield Weight("kernel", (*window, channels, width))
        yield Weight("recurrent_kernel", (*window, filters, width))
        yield from _bias(config, width)

    return rule


def _einsum(config: Config, inputs: Shapes) -> Iterator[Weight]:
    source, kernel, output = einsum_letters(config)
    (made,) = outputs_of("EinsumDense", config, inputs)
    sizes = {**dict(zip(output, made, strict=True)), **dict(zip(source, inputs[0], strict=True))}
    yield Weight("kernel", tuple(_dim(sizes[letter]) for letter in kernel))
    if axes := config.get("bias_axes"):
        letters = sorted(str(axes), key=output.index)
        first = output.index(letters[0])
        yield Weight("bias", tuple(_dim(sizes[x]) if x in letters else 1 for x in output[first:]))


def _bidirectional(config: Config, inputs: Shapes) -> Iterator[Weight]:
    kind, inner = inner_layer(config["layer"])
    backward = config.get("backward_layer")
    directions = (
        ("forward", (kind, inner)),
        ("backward", (kind, inner) if backward is None else inner_layer(backward)),
    )
    for direction, (name, settings) in directions:
        for weight in layer_weights(name, settings, inputs):
            yield replace(weight, role=f"{direction}/{weight.role}")


def _child_shape(inputs: Shapes) -> Shapes:
    batch, _, *rest = inputs[0]
    return ((batch, *rest),)


def _time_distributed(config: Config, inputs: Shapes) -> Iterator[Weight]:
    kind, inner = inner_layer(config["layer"])
    yield from layer_weights(kind, inner, _child_shape(inputs))


def _spectral(config: Config, inputs: Shapes) -> Iterator[Weight]:
    kind, inner = inner_layer(config["layer"])
    own = layer_weights(kind, inner, inputs)
    (width,) = (weight.shape[-1] for weight in own if weight.role in ("kernel", "embeddings"))
    yield Weight("vector_u", (1, width), trainable=False)
    yield from own


def _spectral_work(config: Config, inputs: Shapes, output: Shape) -> int:
    kind, inner = inner_layer(config["layer"])
    return multiply_adds(kind, inner, inputs, output)


def _heads(config: Config) -> tuple[int, int, int]:
    """Heads, key width and value width of a MultiHeadAttention."""
    width = whole(config["key_dim"])
    value = config.get("value_dim")
    return whole(config["num_heads"]), width, width if value is None else whole(value)


def _key_and_value(inputs: Shapes) -> tuple[Shape, Shape]:
    """Shapes of key and value of an attention call on (query, value) or (query, value, key)."""
    value = inputs[1] if len(inputs) > 1 else inputs[0]
    return (inputs[2] if len(inputs) > 2 else value), value


def _multi_head(config: Config, inputs: Shapes) -> Iterator[Weight]:
    heads, width, value_width = _heads(config)
    key, value = _key_and_value(inputs)
    for name, shape, size in (
        ("query", inputs[0], width),
        ("key", key, width),
        ("value", value, value_width),
    ):
        yield Weight(f"{name}/kernel", (_dim(shape[-1]), heads, size))
        yield from (replace(bias, role=f"{name}/bias") for bias in _bias(config, heads, size))
    output = config.get("output_shape") or [_dim(inputs[0][-1])]
    sizes = tuple(whole(size) for size in (output if isinstance(output, list | tuple) else [output]))
    yield Weight("attention_output/kernel", (heads, value_width, *sizes))
    yield from (replace(bias, role="attention_output/bias") for bias in _bias(config, *sizes))


def _group_query(config: Config, inputs: Shapes) -> Iterator[Weight]:
    queries, groups = whole(config["num_query_heads"]), whole(config["num_key_value_heads"])
    width = whole(config["head_dim"])
    key, value = _key_and_value(inputs)
    for name, shape, heads in (("query", inputs[0], queries), ("key", key, groups), ("value", value, groups)):
        yield Weight(f"{name}/kernel", (_dim(shape[-1]), heads, width))
        yield from (replace(bias, role=f"{name}/bias") for bias in _bias(config, heads, width))
    output = _dim(inputs[0][-1])
    yield Weight("attention_output/kernel", (queries, width, output))
    yield from (replace(bias, role="attention_output/bias") for bias in _bias(config, output))


def _attention(config: Config, inputs: Shapes) -> Iterator[Weight]:
    if config.get("use_scale"):
        yield Weight("scale", ())
    if config.get("score_mode") == "concat":
        yield Weight("concat_score_weight", ())


def _additive(config: Config, inputs: Shapes) -> Iterator[Weight]:
    if config.get("use_scale", True):
        yield Weight("scale", (_dim(inputs[0][-1]),))


WEIGHTS: Final[Mapping[str, WeightRule]] = {
    **{f"Conv{rank}D": _conv(rank) for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": _transposed(rank) for rank in (1, 2, 3)},
    **{f"DepthwiseConv{rank}D": _depthwise(rank) for rank in (1, 2)},
    **{f"SeparableConv{rank}D": _separable(rank) for rank in (1, 2)},
    "Dense": _dense,
    "Embedding": _embedding,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _affine,
    "GroupNormalization": _affine,
    "InstanceNormalization": _instance_norm,
    "RMSNormalization": _rms_norm,
    "Normalization": _normalization,
    "LayerScale": _layer_scale,
    "PReLU": _prelu,
    **{kind: _recurrent(kind) for kind in _GATES},
    **{kind: _conv_lstm(rank) for kind, rank in CONV_LSTM.items()},
    "EinsumDense": _einsum,
    "Bidirectional": _bidirectional,
    "SpectralNormalization": _spectral,
    "TimeDistributed": _time_distributed,
    "MultiHeadAttention": _multi_head,
    "GroupQueryAttention": _group_query,
    "Attention": _attention,
    "AdditiveAttention": _additive,
}
"""Kind -> its weights."""


def _kernel_size(kind: str, config: Config, inputs: Shapes) -> int:
    return sum(
        weight.size for weight in layer_weights(kind, config, inputs) if weight.role.endswith("kernel")
    )


def _per_position(kind: str, rank: int) -> WorkRule:
    """The whole kernel once for every position of the output map."""

    def rule(config: Config, inputs: Shapes, output: Shape) -> int:
        positions = elements([output[axis] for axis in spatial_axes(config, rank)])
        return positions * _kernel_size(kind, config, inputs)

    return rule


def _per_input_position(kind: str, rank: int) -> WorkRule:
    """The whole kernel once for every position of the input map: transposed convolutions."""

    def rule(config: Config, inputs: Shapes, _: Shape) -> int:
        positions = elements([inputs[0][axis] for axis in spatial_axes(config, rank)])
        return positions * _kernel_size(kind, config, inputs)

    return rule


def _dense_work(config: Config, inputs: Shapes, output: Shape) -> int:
    return elements(output[1:-1]) * _kernel_size("Dense", config, inputs)


def _conv_lstm_work(kind: str) -> WorkRule:
    """Both kernels once for every position of the output map and every step."""

    def rule(config: Config, inputs: Shapes, _: Shape) -> int:
        (state,) = outputs_of(kind, {**config, "return_sequences": False, "return_state": False}, inputs)
        positions = elements([state[axis] for axis in spatial_axes(config, CONV_LSTM[kind])])
        return elements(inputs[0][1:2]) * positions * _kernel_size(kind, config, inputs)

    return rule


def _einsum_work(config: Config, inputs: Shapes, output: Shape) -> int:
    source, kernel, letters = einsum_letters(config)
    sizes = {**dict(zip(letters, output, strict=True)), **dict(zip(source, inputs[0], strict=True))}
    return elements([sizes[letter] for letter in {*source, *kernel, *letters} - {letters[0]}])


def _recurrent_work(kind: str) -> WorkRule:
    def rule(config: Config, inputs: Shapes, _: Shape) -> int:
        return elements(inputs[0][1:2]) * _kernel_size(kind, config, inputs)

    return rule


def _wrapped_work(config: Config, inputs: Shapes, _: Shape) -> int:
    kind, inner = inner_layer(config["layer"])
    child = _child_shape(inputs)
    (output,) = outputs_of(kind, inner, child)
    return elements(inputs[0][1:2]) * multiply_adds(kind, inner, child, output)


def _group_query_work(config: Config, inputs: Shapes, _: Shape) -> int:
    key, value = _key_and_value(inputs)
    queries, keys = elements(inputs[0][1:-1]), elements(value[1:-1])
    heads, width = whole(config["num_query_heads"]), whole(config["head_dim"])
    weights = layer_weights("GroupQueryAttention", config, (inputs[0], value, key))
    own = {weight.role: weight.size for weight in weights}
    projections = queries * (own["query/kernel"] + own["attention_output/kernel"])
    return projections + keys * (own["key/kernel"] + own["value/kernel"]) + 2 * queries * keys * heads * width


def _multi_head_work(config: Config, inputs: Shapes, _: Shape) -> int:
    heads, width, value_width = _heads(config)
    key, value = _key_and_value(inputs)
    queries, keys = elements(inputs[0][1:-1]), elements(value[1:-1])
    at = {"query": queries, "key": keys, "value": keys, "attention_output": queries}
    weights = layer_weights("MultiHeadAttention", config, (inputs[0], value, key))
    projections = sum(at[role] * weight.size for weight in weights
                      for role, _, what in [weight.role.partition("/")] if what == "kernel")  # fmt: skip
    return projections + queries * keys * heads * (width + value_width)


def _attention_work(_: Config, inputs: Shapes, __: Shape) -> int:
    key, value = _key_and_value(inputs)
    queries, keys = elements(inputs[0][1:-1]), elements(value[1:-1])
    return queries * keys * elements([key[-1], value[-1]][:1]) + queries * keys * elements(value[-1:])


def _dot_work(config: Config, inputs: Shapes, output: Shape) -> int:
    axes = config["axes"]
    axis = whole(axes[0] if isinstance(axes, list | tuple) else axes)
    return elements(output[1:]) * elements([inputs[0][axis]])


def _matmul_work(_: Config, inputs: Shapes, output: Shape) -> int:
    return elements(output[1:]) * elements(inputs[0][-1:])


def _einsum_of_tensors(config: Config, inputs: Shapes, _: Shape) -> int:
    sizes, output = einsum_terms(config, inputs)
    return elements([dim for letter, dim in sizes.items() if letter != output[:1]])


def _tensordot_work(_: Config, inputs: Shapes, output: Shape) -> int:
    """The elements of both operands that no output axis has are summed over."""
    summed = elements(inputs[0][1:]) * elements(inputs[1]) // max(elements(output[1:]), 1)
    return elements(output[1:]) * math.isqrt(summed)


def _distances_work(_: Config, inputs: Shapes, output: Shape) -> int:
    return elements(output[1:]) * elements(inputs[0][-1:])


def _head_work(_: Config, inputs: Shapes, __: Shape) -> int:
    """Scores and weighted sums of (batch, steps, heads, width) tensors."""
    queries, heads, width = inputs[0][1:]
    return 2 * elements([queries, inputs[1][1], heads, width])


WORK: Final[Mapping[str, WorkRule]] = {
    **{f"{kind}{rank}D": _per_position(f"{kind}{rank}D", rank) for kind in ("Conv", "DepthwiseConv", "SeparableConv")
       for rank in (1, 2, 3) if f"{kind}{rank}D" in WEIGHTS},
    **{f"Conv{rank}DTranspose": _per_input_position(f"Conv{rank}DTranspose", rank) for rank in (1, 2, 3)},
    "Dense": _dense_work,
    **{kind: _recurrent_work(kind) for kind in (*_GATES, "Bidirectional")},
    **{kind: _conv_lstm_work(kind) for kind in CONV_LSTM},
    "EinsumDense": _einsum_work,
    "SpectralNormalization": _spectral_work,
    "TimeDistributed": _wrapped_work,
    "MultiHeadAttention": _multi_head_work,
    "GroupQueryAttention": _group_query_work,
    **dict.fromkeys(("Attention", "AdditiveAttention"), _attention_work),
    "Dot": _dot_work,
    "Matmul": _matmul_work,
    "Einsum": _einsum_of_tensors,
    "Tensordot": _tensordot_work,
    "CDist": _distances_work,
    "DotProductAttention": _head_work,
}  # fmt: skip
"""Kind -> the multiply-adds of one call for one sample."""

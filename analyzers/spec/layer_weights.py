"""The weights that a layer has once it is built: one rule a kind; a kind without a rule has none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from analyzers.spec.model import Json, Shape
from analyzers.spec.shape_rules import Config, Shapes, einsum_letters
from analyzers.spec.shapes import CONV_LSTM, conv_lstm_step, inner_layer, outputs_of
from analyzers.spec.windows import channel_axis, per_axis, whole


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
"""Config, shapes of the call's positional tensors -> its weights."""

REFUSED: Final = (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError)
"""What a rule raises at a config or shape that the layer itself would refuse."""


def layer_weights(kind: str, config: Config, inputs: Shapes) -> tuple[Weight, ...]:
    """The weights of a layer called on ``inputs``, in Keras's creation order; none where they are unknown."""
    rule = WEIGHTS.get(kind)
    if rule is None or not inputs:
        return ()
    try:
        return tuple(rule(config, inputs))
    except REFUSED:
        return ()


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


GATES: Final = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}
"""Recurrent kind -> how many kernels it holds side by side."""


def _recurrent(kind: str) -> WeightRule:
    def rule(config: Config, inputs: Shapes) -> Iterator[Weight]:
        units = whole(config["units"])
        width = units * GATES[kind]
        yield Weight("kernel", (_dim(inputs[0][-1]), width))
        yield Weight("recurrent_kernel", (units, width))
        double = kind == "GRU" and config.get("reset_after", True)
        yield from _bias(config, *((2, width) if double else (width,)))

    return rule


def _conv_lstm(rank: int) -> WeightRule:
    def rule(config: Config, inputs: Shapes) -> Iterator[Weight]:
        channels = _dim(conv_lstm_step(inputs)[channel_axis(config, rank)])
        filters, window = whole(config["filters"]), per_axis(config["kernel_size"], rank)
        width = filters * GATES["LSTM"]
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


def child_shape(inputs: Shapes) -> Shapes:
    """What TimeDistributed hands to the layer that it wraps: its input without the axis of time."""
    batch, _, *rest = inputs[0]
    return ((batch, *rest),)


def _time_distributed(config: Config, inputs: Shapes) -> Iterator[Weight]:
    kind, inner = inner_layer(config["layer"])
    yield from layer_weights(kind, inner, child_shape(inputs))


def _spectral(config: Config, inputs: Shapes) -> Iterator[Weight]:
    kind, inner = inner_layer(config["layer"])
    own = layer_weights(kind, inner, inputs)
    (width,) = (weight.shape[-1] for weight in own if weight.role in ("kernel", "embeddings"))
    yield Weight("vector_u", (1, width), trainable=False)
    yield from own


def heads_of(config: Config) -> tuple[int, int, int]:
    """Heads, key width and value width of a MultiHeadAttention."""
    width = whole(config["key_dim"])
    value = config.get("value_dim")
    return whole(config["num_heads"]), width, width if value is None else whole(value)


def key_and_value(inputs: Shapes) -> tuple[Shape, Shape]:
    """Shapes of key and value of an attention call on (query, value) or (query, value, key)."""
    value = inputs[1] if len(inputs) > 1 else inputs[0]
    return (inputs[2] if len(inputs) > 2 else value), value


def _multi_head(config: Config, inputs: Shapes) -> Iterator[Weight]:
    heads, width, value_width = heads_of(config)
    key, value = key_and_value(inputs)
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
    key, value = key_and_value(inputs)
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
    **{kind: _recurrent(kind) for kind in GATES},
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

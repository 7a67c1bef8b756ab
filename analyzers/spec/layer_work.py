"""The multiply-adds of one call of a layer: one rule a kind; a kind without a rule does none worth counting."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from analyzers.spec.layer_weights import (
    GATES,
    REFUSED,
    WEIGHTS,
    child_shape,
    heads_of,
    key_and_value,
    layer_weights,
)
from analyzers.spec.model import Shape
from analyzers.spec.product_shapes import einsum_terms
from analyzers.spec.shape_rules import Config, Shapes, einsum_letters
from analyzers.spec.shapes import CONV_LSTM, inner_layer, outputs_of
from analyzers.spec.windows import spatial_axes, whole

WorkRule: TypeAlias = Callable[[Config, Shapes, Shape], int]
"""Config, shapes of the call's positional tensors, first output -> multiply-adds for one sample."""


def multiply_adds(kind: str, config: Config, inputs: Shapes, output: Shape) -> int:
    """Multiply-adds of one call for one sample; open dimensions count as 1."""
    rule = WORK.get(kind)
    if rule is None or not inputs:
        return 0
    try:
        return rule(config, inputs, output)
    except REFUSED:
        return 0


def elements(dims: Sequence[int | None]) -> int:
    """Product of dimensions, open ones counting as 1."""
    return math.prod(1 if dim is None else dim for dim in dims)


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


def _spectral_work(config: Config, inputs: Shapes, output: Shape) -> int:
    kind, inner = inner_layer(config["layer"])
    return multiply_adds(kind, inner, inputs, output)


def _wrapped_work(config: Config, inputs: Shapes, _: Shape) -> int:
    kind, inner = inner_layer(config["layer"])
    child = child_shape(inputs)
    (output,) = outputs_of(kind, inner, child)
    return elements(inputs[0][1:2]) * multiply_adds(kind, inner, child, output)


def _group_query_work(config: Config, inputs: Shapes, _: Shape) -> int:
    key, value = key_and_value(inputs)
    queries, keys = elements(inputs[0][1:-1]), elements(value[1:-1])
    heads, width = whole(config["num_query_heads"]), whole(config["head_dim"])
    weights = layer_weights("GroupQueryAttention", config, (inputs[0], value, key))
    own = {weight.role: weight.size for weight in weights}
    projections = queries * (own["query/kernel"] + own["attention_output/kernel"])
    return projections + keys * (own["key/kernel"] + own["value/kernel"]) + 2 * queries * keys * heads * width


def _multi_head_work(config: Config, inputs: Shapes, _: Shape) -> int:
    heads, width, value_width = heads_of(config)
    key, value = key_and_value(inputs)
    queries, keys = elements(inputs[0][1:-1]), elements(value[1:-1])
    at = {"query": queries, "key": keys, "value": keys, "attention_output": queries}
    weights = layer_weights("MultiHeadAttention", config, (inputs[0], value, key))
    projections = sum(at[role] * weight.size for weight in weights
                      for role, _, what in [weight.role.partition("/")] if what == "kernel")  # fmt: skip
    return projections + queries * keys * heads * (width + value_width)


def _attention_work(_: Config, inputs: Shapes, __: Shape) -> int:
    key, value = key_and_value(inputs)
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
    **{kind: _recurrent_work(kind) for kind in (*GATES, "Bidirectional")},
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

"""Which variables a layer of each kind owns: role, place in a ``.keras`` file, and whether it trains.

A role is the variable's name in Keras 3.  Where a layer is made of others, the part's name comes
first: ``query/kernel`` (attention), ``forward/recurrent_kernel`` (Bidirectional); a recurrent layer's
cell and a TimeDistributed's layer are not named.  Order is Keras's creation order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from analyzers.spec.kinds import CONVOLUTIONS
from analyzers.spec.model import Json

Config = Mapping[str, Json]


@dataclass(frozen=True)
class Variable:
    """One variable of a layer.

    Attributes:
        role: what it is for the layer.
        group: the HDF5 group that holds it in a ``.keras`` file, relative to the layer's own.
        trainable: whether gradients reach it while the layer is trainable.
        again: a ``.keras`` file's second copy of a variable that is listed before.
    """

    role: str
    group: str = ""
    trainable: bool = True
    again: bool = False


def _has(config: Config, key: str) -> bool:
    return config.get(key, True) is not False


def _kernel_and_bias(config: Config) -> list[Variable]:
    return [Variable("kernel")] + ([Variable("bias")] if _has(config, "use_bias") else [])


def _separable(config: Config) -> list[Variable]:
    bias = [Variable("bias")] if _has(config, "use_bias") else []
    return [Variable("depthwise_kernel"), Variable("pointwise_kernel"), *bias]


def _einsum(config: Config) -> list[Variable]:
    return [Variable("kernel")] + ([Variable("bias")] if config.get("bias_axes") else [])


def _scale_and_shift(config: Config) -> list[Variable]:
    gamma = [Variable("gamma")] if _has(config, "scale") else []
    return gamma + ([Variable("beta")] if _has(config, "center") else [])


def _batch_normalization(config: Config) -> list[Variable] | None:
    if config.get("renorm"):
        return None
    moving = [Variable(role, trainable=False) for role in ("moving_mean", "moving_variance")]
    return _scale_and_shift(config) + moving


def _normalization(config: Config) -> list[Variable]:
    if config.get("mean") is not None:
        return []
    return [Variable(role, trainable=False) for role in ("mean", "variance", "count")]


def _cell(config: Config) -> list[Variable]:
    bias = [Variable("bias", "cell")] if _has(config, "use_bias") else []
    return [Variable("kernel", "cell"), Variable("recurrent_kernel", "cell"), *bias]


def _rnn(config: Config) -> list[Variable] | None:
    kind, inner = _wrapped(config, "cell")
    return _cell(inner) if kind in ("SimpleRNNCell", "LSTMCell", "GRUCell") else None


def _wrapped(config: Config, key: str) -> tuple[str, Config]:
    item = config.get(key)
    if not isinstance(item, dict) or not isinstance(item.get("config"), dict):
        return "", {}
    inner = item["config"]
    return str(item.get("kind")), inner if isinstance(inner, dict) else {}


def _time_distributed(config: Config) -> list[Variable] | None:
    inner = of(*_wrapped(config, "layer"))
    return inner and [replace(variable, group=_joined("layer", variable.group)) for variable in inner]


def _spectral(config: Config) -> list[Variable] | None:
    """The wrapper keeps the kernel beside its vector, and the wrapped layer keeps it too."""
    inner = _time_distributed(config)
    if not inner:
        return None
    kernel, *rest = inner
    own = [Variable(kernel.role), Variable("vector_u", trainable=False)]
    return [*own, replace(kernel, again=True), *rest]


def _bidirectional(config: Config) -> list[Variable] | None:
    inner = of(*_wrapped(config, "layer"))
    return inner and [
        replace(v, role=f"{way}/{v.role}", group=_joined(f"{way}_layer", v.group))
        for way in ("forward", "backward")
        for v in inner
    ]


def _joined(first: str, second: str) -> str:
    return f"{first}/{second}" if second else first


def _multi_head_attention(config: Config) -> list[Variable]:
    parts = [("query", "query_dense"), ("key", "key_dense"), ("value", "value_dense")]
    if config.get("use_gate"):
        parts.append(("gate", "gate_dense"))
    parts.append(("attention_output", "output_dense"))
    roles = ("kernel", "bias") if _has(config, "use_bias") else ("kernel",)
    return [Variable(f"{part}/{role}", group) for part, group in parts for role in roles]


def _attention(config: Config) -> list[Variable]:
    scale = [Variable("scale")] if config.get("use_scale") else []
    return scale + ([Variable("concat_score_weight")] if config.get("score_mode") == "concat" else [])


def _additive_attention(config: Config) -> list[Variable]:
    return [Variable("scale")] if _has(config, "use_scale") else []


def _one(role: str) -> Callable[[Config], list[Variable]]:
    return lambda _config: [Variable(role)]


_TABLE: Final[dict[str, Callable[[Config], list[Variable] | None]]] = {
    "Dense": _kernel_and_bias,
    **dict.fromkeys(sorted(CONVOLUTIONS), _kernel_and_bias),
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "EinsumDense": _einsum,
    "Embedding": _one("embeddings"),
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _scale_and_shift,
    "GroupNormalization": _scale_and_shift,
    "InstanceNormalization": _scale_and_shift,
    "RMSNormalization": _one("scale"),
    "Normalization": _normalization,
    "SimpleRNN": _cell,
    "LSTM": _cell,
    "GRU": _cell,
    "ConvLSTM1D": _cell,
    "ConvLSTM2D": _cell,
    "ConvLSTM3D": _cell,
    "RNN": _rnn,
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    "SpectralNormalization": _spectral,
    "MultiHeadAttention": _multi_head_attention,
    "GroupQueryAttention": _multi_head_attention,
    "Attention": _attention,
    "AdditiveAttention": _additive_attention,
    "PReLU": _one("alpha"),
    "LayerScale": _one("gamma"),
}
"""Layer kind -> its variables, given its config."""

UNTOLD: Final = frozenset({"ReversibleEmbedding"})
"""Known kinds with variables whose order the table does not tell."""


def of(kind: str, config: Config) -> list[Variable] | None:
    """The variables of a layer in creation order; None where the table does not tell."""
    if kind in UNTOLD:
        return None
    entry = _TABLE.get(kind)
    return entry(config) if entry is not None else []

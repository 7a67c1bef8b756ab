"""What older Keras versions called otherwise: classes and arguments, as tables.

Keras 1 named nearly everything differently, Keras 2 and tf.keras some things.  A name that today's
class takes itself is never renamed, so one table serves every class and every age.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analyzers.spec.model import Json

KINDS: Final[dict[str, str]] = {
    **{f"Convolution{rank}D": f"Conv{rank}D" for rank in (1, 2, 3)},
    **{f"AtrousConvolution{rank}D": f"Conv{rank}D" for rank in (1, 2)},
    **{f"Deconvolution{rank}D": f"Conv{rank}DTranspose" for rank in (2, 3)},
    **{f"Convolution{rank}DTranspose": f"Conv{rank}DTranspose" for rank in (1, 2, 3)},
    **{f"SeparableConvolution{rank}D": f"SeparableConv{rank}D" for rank in (1, 2)},
    **{f"DepthwiseConvolution{rank}D": f"DepthwiseConv{rank}D" for rank in (1, 2)},
    "TimeDistributedDense": "Dense",
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "ThresholdedReLU": "ReLU",
    "SyncBatchNormalization": "BatchNormalization",
    "GroupedQueryAttention": "GroupQueryAttention",
    **{f"BatchNormalizationV{number}": "BatchNormalization" for number in (1, 2)},
    **{f"{kind}V{number}": kind for kind in ("LSTM", "GRU", "Dense") for number in (1, 2)},
    **{f"Unified{kind}": kind for kind in ("LSTM", "GRU")},
}
"""Class names that changed, and classes that another one of today replaces exactly."""

DROPPED: Final[dict[str, str]] = {
    **{f"LocallyConnected{rank}D": "Keras 3 has no locally connected layers" for rank in (1, 2)},
    "MaxoutDense": "Keras dropped it after version 1",
    "Highway": "Keras dropped it after version 1",
    "RandomFourierFeatures": "Keras 3 has no kernel approximation layers",
    "DenseFeatures": "Keras 3 has no feature columns",
}
"""Classes that Keras once had -> why nothing of today stands for them."""

_ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "nb_filter": ("filters",),
    "output_dim": ("units",),
    "bias": ("use_bias",),
    "init": ("kernel_initializer", "embeddings_initializer", "gamma_initializer", "alpha_initializer"),
    "inner_init": ("recurrent_initializer",),
    "inner_activation": ("recurrent_activation",),
    **{f"W_{what}": (f"kernel_{what}", f"embeddings_{what}") for what in ("regularizer", "constraint")},
    **{f"U_{what}": (f"recurrent_{what}",) for what in ("regularizer", "constraint")},
    **{f"b_{what}": (f"bias_{what}",) for what in ("regularizer", "constraint")},
    "dropout_W": ("dropout",),
    "dropout_U": ("recurrent_dropout",),
    "forget_bias_init": ("unit_forget_bias",),
    "beta_init": ("beta_initializer",),
    "gamma_init": ("gamma_initializer",),
    "border_mode": ("padding",),
    "subsample": ("strides",),
    "subsample_length": ("strides",),
    "filter_length": ("kernel_size",),
    "pool_length": ("pool_size",),
    "stride": ("strides",),
    "atrous_rate": ("dilation_rate",),
    "dim_ordering": ("data_format",),
    "length": ("size",),
    "p": ("rate",),
    "sigma": ("stddev",),
    "theta": ("threshold",),
    "alpha": ("negative_slope",),
    "concat_axis": ("axis",),
    "max_tokens": ("num_tokens",),
}
"""Old argument -> today's; of several, the one that the class takes."""

_SIDES: Final[tuple[tuple[str, ...], ...]] = (
    ("nb_row", "nb_col"),
    ("kernel_dim1", "kernel_dim2", "kernel_dim3"),
)
"""Arguments of Keras 1 that together are today's ``kernel_size``."""

_VALUES: Final[dict[str, dict[str, Json]]] = {
    "data_format": {"tf": "channels_last", "th": "channels_first", "default": None},
    "unit_forget_bias": {"one": True, "zero": False},
}
"""Argument -> old value -> today's."""


def arguments(names: frozenset[str], config: Mapping[str, Json]) -> dict[str, Json]:
    """A saved config under today's argument names; what the class does not take is left out.

    Args:
        names: arguments of today's class.
        config: the layer's settings as the file says them.
    """
    found = {key: value for key, value in config.items() if key in names}
    for old, today in _ARGUMENTS.items():
        key = next((one for one in today if one in names), None)
        if old in config and key is not None and old not in names:
            found.setdefault(key, config[old])
    for sides in _SIDES:
        if all(side in config for side in sides):
            found.setdefault("kernel_size", [config[side] for side in sides])
    for key, values in _VALUES.items():
        value = found.get(key)
        if isinstance(value, str) and value in values:
            found[key] = values[value]
    return found

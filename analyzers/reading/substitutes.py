"""Layers that another layer of today replaces exactly, depending on their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from analyzers.reading import lambdas, renames
from analyzers.reading.objects import class_name
from analyzers.reading.plain import sub_config
from analyzers.spec.model import Json

Config = dict[str, Json]
Substitute = Callable[[Config], tuple[str, Config] | None]
"""A layer's settings -> the kind and settings that compute the same; None where nothing does."""


def today(item: Mapping[str, Json]) -> tuple[str, Config]:
    """Kind of today and settings of a serialized layer, the settings' names as the file says them."""
    written, config = class_name(item), sub_config(item)
    substitute = _SUBSTITUTES.get(written)
    found = substitute(config) if substitute is not None else None
    return found or (renames.KINDS.get(written, written), config)


def _lambda(config: Config) -> tuple[str, Config] | None:
    """Plain arithmetic as a Rescaling."""
    found = lambdas.affine(config)
    if found is None:
        return None
    kept: Config = {key: config[key] for key in _KEPT if key in config}
    return "Rescaling", {**kept, "scale": found.scale, "offset": found.offset}


_KEPT: Final = ("name", "trainable", "dtype", "batch_input_shape")

_MERGES: Final[dict[str, tuple[str, Config]]] = {
    "sum": ("Add", {}),
    "mul": ("Multiply", {}),
    "ave": ("Average", {}),
    "max": ("Maximum", {}),
    "concat": ("Concatenate", {}),
    "dot": ("Dot", {}),
    "cos": ("Dot", {"normalize": True}),
}
"""``mode`` of Keras 1's Merge -> today's merge layer and what its settings must say."""


def _merge(config: Config) -> tuple[str, Config] | None:
    found = _MERGES.get(str(config.get("mode")))
    if found is None:
        return None
    kind, settings = found
    renamed: Config = {"axis": config.get("concat_axis", -1), "axes": config.get("dot_axes", -1)}
    return kind, {**config, **renamed, **settings}


def _instance_normalization(config: Config) -> tuple[str, Config] | None:
    """TensorFlow Addons' class is a GroupNormalization; that of keras-contrib adds epsilon elsewhere."""
    return ("GroupNormalization", {**config, "groups": -1}) if "groups" in config else None


def _cudnn_gru(config: Config) -> tuple[str, Config]:
    return "GRU", {**config, "reset_after": True}


_CELLS: Final = {"SimpleRNNCell": "SimpleRNN", "LSTMCell": "LSTM", "GRUCell": "GRU"}
"""Cell -> the layer that an RNN of it is."""


def _rnn(config: Config) -> tuple[str, Config] | None:
    cell = config.get("cell")
    kind = _CELLS.get(class_name(cell)) if isinstance(cell, dict) else None
    if kind is None or not isinstance(cell, dict):
        return None
    outer = {key: value for key, value in config.items() if key != "cell"}
    return kind, {**sub_config(cell), **outer}


def _identity(config: Config) -> tuple[str, Config]:
    """An augmentation that today's Keras, or the builder, does not have, as what it is at inference."""
    return "Identity", {key: config[key] for key in _KEPT if key in config}


UNDONE: Final = (
    "AugMix",
    "CutMix",
    "MixUp",
    "RandAugment",
    "RandomColorJitter",
    "RandomHeight",
    "RandomWidth",
)
"""Augmentations that training goes without: they draw sizes or operations anew each time, or mix labels too."""

_SUBSTITUTES: Final[dict[str, Substitute]] = {
    "Lambda": _lambda,
    "Merge": _merge,
    "InstanceNormalization": _instance_normalization,
    "CuDNNGRU": _cudnn_gru,
    "RNN": _rnn,
    **dict.fromkeys(UNDONE, _identity),
}
"""Class name in the file -> its substitute."""

"""A layer's config in today's Keras names, cut to what its constructor takes.

Whatever an old version called otherwise is renamed here, in tables, so that nothing behind the reader
meets a legacy name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from analyzers.reading import renames
from analyzers.reading.objects import (
    activation,
    class_name,
    constraint,
    dtype_policy,
    initializer,
    plain_value,
    regularizer,
)
from analyzers.reading.plain import shown
from analyzers.reading.signatures import CELLS, LAYERS
from analyzers.reading.substitutes import today
from analyzers.spec.model import Json

MODELS: Final = frozenset({"Functional", "Sequential", "Model"})
"""Class names of nested models; ``Model`` is what Keras before 2.4 wrote for a functional one."""

_EVERYWHERE: Final = frozenset({"dtype"})

_LEGACY_DEFAULTS: Final[dict[str, dict[str, Json]]] = {
    "GRU": {"reset_after": False},
    "GRUCell": {"reset_after": False},
}
"""Arguments that a file of Keras 2 leaves out where today's default differs."""

_WRAPPED: Final = frozenset({"layer", "backward_layer", "cell"})

_LAMBDA: Final = "Lambda"
_UNSAFE: Final[dict[str, str]] = {
    _LAMBDA: "holds Python code, which is never run",
    "TFOpLambda": "names a TensorFlow operation that is not plain arithmetic",
    "SlicingOpLambda": "names a TensorFlow operation that is not plain arithmetic",
    "Merge": "merges by a mode that is none of Keras 1's own",
    "TFSMLayer": "loads a SavedModel from a path",
    "TorchModuleWrapper": "holds a pickled PyTorch module",
    "JaxLayer": "holds Python code, which is never run",
    "FlaxLayer": "holds Python code, which is never run",
    "StringLookup": "looks words up in a vocabulary",
    "IntegerLookup": "looks numbers up in a vocabulary",
    "TextVectorization": "looks words up in a vocabulary",
}
"""Why a kind that Keras itself has is not known."""


@dataclass(frozen=True)
class LayerConfig:
    """A layer's settings as a spec holds them; see :class:`analyzers.spec.LayerSpec`."""

    kind: str
    config: dict[str, Json]
    trainable: bool
    known: bool
    problem: str | None


def upgrade(item: Mapping[str, Json], *, legacy: bool) -> LayerConfig:
    """Today's settings of one serialized layer that is neither a model nor an operation.

    Args:
        item: the serialized layer (``class_name``, ``config``).
        legacy: whether the file is older than Keras 3.
    """
    kind, config = today(item)
    trainable = config.get("trainable") is not False
    if kind not in LAYERS:
        content = {
            key: plain_value(value) for key, value in config.items() if key not in ("name", "trainable")
        }
        return LayerConfig(kind, content, trainable, known=False, problem=_why_unknown(kind))
    problem = _wrapped_problem(config) or _setting_problem(kind, config)
    return LayerConfig(kind, _arguments(kind, config, legacy), trainable, problem is None, problem)


def _why_unknown(kind: str) -> str:
    reason = _UNSAFE.get(kind) or renames.DROPPED.get(kind)
    return reason or f"{shown(kind)} is not a layer of Keras: its code is not in the file"


def _wrapped_problem(config: Mapping[str, Json]) -> str | None:
    """Why a wrapper's content cannot be expressed, None where it can."""
    for key in _WRAPPED & set(config):
        inner = config[key]
        items = inner if isinstance(inner, list) else [inner]
        for item in items:
            if isinstance(item, dict):
                kind, inside = today(item)
                if kind in MODELS:
                    return f"it wraps a whole model in its {key}"
                if kind == "StackedRNNCells" and (found := _wrapped_problem({"cell": inside.get("cells")})):
                    return found
                if kind not in LAYERS and kind not in CELLS:
                    return f"its {key} is unknown: {_why_unknown(kind)}"
    return None


def _setting_problem(kind: str, config: Mapping[str, Json]) -> str | None:
    """Why a kind of today cannot do what a setting of Keras 1 asks for, None where it can."""
    for key, values, reason in _REFUSED.get(kind, ()):
        if config.get(key) in values:
            return reason
    return None


_REFUSED: Final[dict[str, tuple[tuple[str, tuple[Json, ...], str], ...]]] = {
    "BatchNormalization": (
        ("mode", (1, 2), "its mode of Keras 1 normalises with the statistics of the batch at inference too"),
        ("renorm", (True,), "it uses batch renormalisation"),
    ),
}
"""Kind -> (setting, values, why today's class does not do that)."""


def _arguments(kind: str, config: Mapping[str, Json], legacy: bool) -> dict[str, Json]:
    """The constructor arguments of a known kind out of a saved config."""
    names = LAYERS[kind] if kind in LAYERS else CELLS[kind]
    settings = renames.arguments(names | _EVERYWHERE, config)
    arguments = {key: _argument(key, value, legacy) for key, value in settings.items()}
    if legacy:
        for key, value in _LEGACY_DEFAULTS.get(kind, {}).items():
            arguments.setdefault(key, value)
    arguments["dtype"] = dtype_policy(config.get("dtype"))
    rewrite = _REWRITES.get(kind)
    return rewrite(arguments) if rewrite else arguments


def _argument(key: str, value: Json, legacy: bool) -> Json:
    if key in _WRAPPED and isinstance(value, dict):
        return nested_layer(value, legacy=legacy)
    if key == "cells" and isinstance(value, list):
        return [nested_layer(cell, legacy=legacy) for cell in value if isinstance(cell, dict)]
    if key.endswith("activation") and isinstance(value, dict) and class_name(value) in LAYERS:
        return nested_layer(value, legacy=legacy)
    for suffix, convert in _BY_SUFFIX:
        if key.endswith(suffix):
            found = convert(value)
            return "legacy_hard_sigmoid" if legacy and found == "hard_sigmoid" else found
    return plain_value(value)


def nested_layer(item: Mapping[str, Json], *, legacy: bool) -> Json:
    """A layer or cell inside a wrapper, as ``{"kind": ..., "config": {...}}``."""
    kind, config = today(item)
    if kind not in LAYERS and kind not in CELLS:
        return {"kind": kind, "config": {}}
    return {"kind": kind, "config": _arguments(kind, config, legacy)}


_BY_SUFFIX: Final[tuple[tuple[str, Callable[[Json], Json]], ...]] = (
    ("initializer", initializer),
    ("regularizer", regularizer),
    ("constraint", constraint),
    ("activation", activation),
)


def _unlisted_axis(arguments: dict[str, Json]) -> dict[str, Json]:
    """``axis`` [3] as 3: BatchNormalization of tf.keras 2 wrote a list."""
    axis = arguments.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        arguments["axis"] = axis[0]
    return arguments


def _relu(arguments: dict[str, Json]) -> dict[str, Json]:
    """Keras 2 wrote 0-dimensional arrays for these numbers in some versions."""
    for key, value in arguments.items():
        if isinstance(value, dict) and set(value) >= {"type", "value"}:
            arguments[key] = value["value"]
    return arguments


def _binned(arguments: dict[str, Json]) -> dict[str, Json]:
    """Boundaries that adapt() found, and Keras's constructor takes only without the number of bins."""
    if arguments.get("bin_boundaries") is not None:
        arguments.pop("num_bins", None)
    return arguments


_REWRITES: Final[dict[str, Callable[[dict[str, Json]], dict[str, Json]]]] = {
    "BatchNormalization": _unlisted_axis,
    "LayerNormalization": _unlisted_axis,
    "ReLU": _relu,
    "LeakyReLU": _relu,
    "ELU": _relu,
    "Discretization": _binned,
}
"""Kind -> last touch to its arguments."""

"""Nested objects of a layer's config, in today's form: ``{"kind": ..., "config": {...}}``.

Files of every age write initialisers, regularisers, constraints, activations and dtype policies in
their own ways: by snake-case name, by Keras 2 class, by module and class, as a function.  A name that
is not one of Keras's own is kept as the file says it; whoever builds a model refuses it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from analyzers.reading.plain import number, short, sub_config
from analyzers.reading.signatures import (
    CELLS,
    CONSTRAINTS,
    INITIALIZERS,
    LAYERS,
    LOSSES,
    OPTIMIZERS,
    REGULARIZERS,
    SCHEDULES,
)
from analyzers.spec.model import Json

_INITIALIZER_NAMES: Final[dict[str, str]] = {
    "zero": "Zeros",
    "one": "Ones",
    "uniform": "RandomUniform",
    "normal": "RandomNormal",
    "IdentityInitializer": "Identity",
    "OrthogonalInitializer": "Orthogonal",
    "STFTInitializer": "STFT",
}
_REGULARIZER_NAMES: Final[dict[str, str]] = {
    "l1_l2": "L1L2",
    "WeightRegularizer": "L1L2",
    "L1L2Regularizer": "L1L2",
}
_CONSTRAINT_NAMES: Final[dict[str, str]] = {"maxnorm": "MaxNorm", "nonneg": "NonNeg", "unitnorm": "UnitNorm"}
_STRING_REGULARIZERS: Final[dict[str, dict[str, Json]]] = {
    "L1": {"l1": 0.01},
    "L2": {"l2": 0.01},
    "L1L2": {"l1": 0.01, "l2": 0.01},
}
"""What Keras makes of a regulariser that is given by its name alone."""

_NAMED_SCALINGS: Final[dict[tuple[float, str, str], str]] = {
    (1.0, "fan_avg", "uniform"): "GlorotUniform",
    (1.0, "fan_avg", "normal"): "GlorotNormal",
    (1.0, "fan_avg", "truncated_normal"): "GlorotNormal",
    (2.0, "fan_in", "uniform"): "HeUniform",
    (2.0, "fan_in", "normal"): "HeNormal",
    (2.0, "fan_in", "truncated_normal"): "HeNormal",
    (1.0, "fan_in", "uniform"): "LecunUniform",
    (1.0, "fan_in", "normal"): "LecunNormal",
    (1.0, "fan_in", "truncated_normal"): "LecunNormal",
}
"""Keras 2 saved these initialisers as the VarianceScaling that they are."""


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """Keras's own conversion of a class name (``keras.src.utils.naming.to_snake_case``)."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def class_name(value: Mapping[str, Json]) -> str:
    """The class of a serialized object, without its registration package (``Custom>Adam``).

    Somebody else's class or function under a name of Keras's has its module or package in front, so
    that it is in no table: ``other.layers.Dense``.
    """
    written = value.get("class_name")
    if not isinstance(written, str):
        return ""
    package, _, name = written.rpartition(">")
    if name in _OURS and (owner := _foreign_owner(value, package, name)):
        return f"{short(owner)}.{name}"
    return short(name)


def _foreign_owner(value: Mapping[str, Json], package: str, name: str) -> str:
    """Who made an object that goes by a name of Keras's; empty where Keras did."""
    module, registered = value.get("module"), value.get("registered_name")
    if isinstance(module, str) and module.partition(".")[0] not in _MODULES:
        return module
    if isinstance(registered, str):
        registered_package, _, registered_as = registered.rpartition(">")
        if registered_as not in (name, value.get("config")):
            return registered
        package = package or registered_package
    if package in _PACKAGES or (package == "Custom" and name in _CUSTOM):
        return ""
    return package


_MODULES: Final = frozenset({"keras", "tf_keras", "tensorflow", "builtins"})
_PACKAGES: Final = frozenset({"", "keras", "Keras"})
_CUSTOM: Final = frozenset(OPTIMIZERS) | {"CustomScaleLayer"}
"""What tf.keras itself registered as ``Custom``: its optimizers, and a layer of InceptionResNetV2."""
_OURS: Final = frozenset({"function"}).union(
    LAYERS, CELLS, INITIALIZERS, REGULARIZERS, CONSTRAINTS, LOSSES, OPTIMIZERS, SCHEDULES
)
"""Names that mean something to this reader."""


def plain_value(value: Json) -> Json:
    """``value`` with serialized tuples and small arrays as lists, and no class references inside."""
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__tuple__" and isinstance(value.get("items"), list):
        return plain_value(value["items"])
    if value.get("class_name") in ("__numpy__", "__tensor__"):
        return sub_config(value).get("value")
    if "class_name" in value and "config" in value:
        return {"kind": class_name(value), "config": plain_value(sub_config(value))}
    return {key: plain_value(item) for key, item in value.items()}


_SETTING_NAMES: Final[dict[str, str]] = {"m": "max_value"}
"""Settings of Keras 1's constraints -> today's."""


@dataclass(frozen=True)
class _Family:
    """One family of Keras objects: its kinds with their arguments, and the names that they go by."""

    kinds: Mapping[str, frozenset[str]]
    renamed: Mapping[str, str]

    @cached_property
    def _names(self) -> dict[str, str]:
        return {**{snake_case(kind): kind for kind in self.kinds}, **self.renamed}

    def read(self, value: Json) -> tuple[str, dict[str, Json]] | None:
        """Kind and config of an object given by name or serialized; None for none."""
        if isinstance(value, str):
            name, config = value, {}
        elif isinstance(value, dict):
            name, config = class_name(value), sub_config(value)
            if not name and isinstance(value.get("name"), str):  # Keras 1 wrote settings beside the name
                name, config = str(value["name"]), {key: item for key, item in value.items() if key != "name"}
            if name == "function" and isinstance(value.get("config"), str):
                name, config = str(value["config"]), {}
        else:
            return None
        kind = name if name in self.kinds else self._names.get(name, self._names.get(name.lower(), name))
        names = self.kinds.get(kind, config.keys())
        config = {_SETTING_NAMES.get(key, key): item for key, item in config.items()}
        return kind, {key: plain_value(item) for key, item in config.items() if key in names}


_FAN_SCALED: Final = ("scale", "mode", "distribution")
_INITIALIZERS: Final = _Family(INITIALIZERS, _INITIALIZER_NAMES)
_REGULARIZERS: Final = _Family(REGULARIZERS, _REGULARIZER_NAMES)
_CONSTRAINTS: Final = _Family(CONSTRAINTS, _CONSTRAINT_NAMES)


def initializer(value: Json) -> Json:
    """An initialiser; None stays None."""
    found = _INITIALIZERS.read(value)
    if found is None:
        return None
    kind, config = found
    if kind == "VarianceScaling":
        scale = number(config.get("scale", 1.0)) or 0.0
        mode, distribution = str(config.get("mode", "fan_in")), str(config.get("distribution", "normal"))
        named = _NAMED_SCALINGS.get((scale, mode, distribution))
        if named is not None:
            kind = named
            config = {key: item for key, item in config.items() if key not in _FAN_SCALED}
    if kind == "Constant" and isinstance(config.get("value"), list):
        return _spread(config["value"])
    return {"kind": kind, "config": config}


def _spread(value: Json) -> Json:
    """Numbers drawn anew with the mean and deviation of a matrix: what began as it, word vectors mostly, is saved."""
    mean = spread = math.nan
    with suppress(ValueError, TypeError), np.errstate(all="ignore"):
        matrix = np.asarray(value, "float64")
        if matrix.size:
            mean, spread = float(matrix.mean()), float(matrix.std())
    if not math.isfinite(mean) or not math.isfinite(spread):
        return {"kind": "Constant", "config": {"value": value}}
    return {"kind": "RandomNormal", "config": {"mean": mean, "stddev": spread, "seed": None}}


def regularizer(value: Json) -> Json:
    """A regulariser; None, and one of strength 0 that Keras 2 writes for none, give None."""
    found = _REGULARIZERS.read(value)
    if found is None:
        return None
    kind, config = found
    if isinstance(value, str):
        config = dict(_STRING_REGULARIZERS.get(kind, {}))
    if kind in _STRING_REGULARIZERS and not any(config.values()):
        return None
    return {"kind": kind, "config": config}


def constraint(value: Json) -> Json:
    """A constraint; None stays None."""
    found = _CONSTRAINTS.read(value)
    if found is None:
        return None
    kind, config = found
    return {"kind": kind, "config": config}


def activation(value: Json) -> Json:
    """A plain activation as its lower-case name; a layer used as one as a nested object.

    None, Keras's way to say "none", becomes ``"linear"``, and so does ``tf.identity``.
    """
    found = "linear" if value is None else _named_activation(value)
    return "linear" if found == "identity" else found


def _named_activation(value: Json) -> Json:
    if isinstance(value, str):
        return short(snake_case(value) if value[:1].isupper() else value)
    if not isinstance(value, dict):
        return plain_value(value)
    name, config = class_name(value), value.get("config")
    if name == "function" and isinstance(config, str):
        return short(config)
    if value.get("module") in ("builtins", "keras.activations") and not isinstance(config, dict):
        return name
    return {"kind": name, "config": plain_value(sub_config(value))}


def dtype_policy(value: Json) -> Json:
    """A dtype policy as its name; None (the default policy) becomes ``"float32"``."""
    if isinstance(value, dict):
        name = sub_config(value).get("name")
        return name if isinstance(name, str) else class_name(value)
    return value if isinstance(value, str) else "float32"

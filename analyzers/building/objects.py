"""Activations, initialisers, regularisers, constraints and dtype policies, made from our own tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import keras
from keras import activations, constraints, initializers, regularizers

from analyzers.building.checks import (
    AXES,
    SEED,
    Argument,
    Arguments,
    Check,
    RefusedError,
    checked,
    choice,
    flag,
    integer,
    listed,
    number,
    only,
    optional,
    shown,
)
from analyzers.building.legacy import legacy_hard_sigmoid
from analyzers.spec import Json


@dataclass(frozen=True)
class Recipe:
    """How to make one kind of object: its class and the checks of its arguments."""

    make: Callable[..., Any]
    arguments: Arguments

    def __call__(self, config: Mapping[str, Json], **ours: Any) -> Any:
        """The object for a config; ``ours`` are constructor arguments that do not come from it.

        Raises:
            RefusedError: an argument is outside its range, or Keras refuses the combination.
        """
        values = checked(self.arguments, config)
        try:
            return self.make(**values, **ours)
        except (ValueError, TypeError, NotImplementedError) as error:
            raise RefusedError(str(error).partition("\n")[0][:300]) from None


def kind_and_config(value: Json) -> tuple[str, Mapping[str, Json]]:
    """Take a nested object ``{"kind": ..., "config": {...}}`` apart.

    Raises:
        RefusedError: ``value`` has another form.
    """
    if not isinstance(value, dict) or not set(value) <= {"kind", "config"}:
        raise RefusedError(f"{shown(value)} is not an object with kind and config")
    kind, config = value.get("kind"), value.get("config", {})
    if not isinstance(kind, str) or not isinstance(config, dict):
        raise RefusedError(f"{shown(value)} is not an object with kind and config")
    return kind, config


def from_table(table: Mapping[str, Recipe], what: str) -> Check:
    """A check that makes nested objects from ``table``; None stays None."""

    def check(value: Json) -> Any:
        if value is None:
            return None
        kind, config = kind_and_config(value)
        if kind not in table:
            raise RefusedError(f"{shown(kind)} is no known {what}")
        return table[kind](config)

    return check


_ACTIVATION_NAMES: Final = (
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish",
    "softmax", "log_softmax", "softplus", "softsign", "sigmoid", "log_sigmoid", "hard_sigmoid",
    "hard_silu", "hard_swish", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink", "tanh",
    "exponential", "squareplus", "sparsemax", "sparse_plus", "sparse_sigmoid", "threshold", "glu",
)  # fmt: skip
LEGACY_ACTIVATIONS: Final[Mapping[str, Callable[[], Callable[..., Any]]]] = {
    "legacy_hard_sigmoid": legacy_hard_sigmoid
}
"""Activations that a fresh object stands for."""

ACTIVATIONS: Final[Mapping[str, Callable[..., Any]]] = {
    name: getattr(activations, name) for name in _ACTIVATION_NAMES
}

_AXES_OF_FAN = {name: Argument(optional(listed(integer(-8, 8)))) for name in ("input_axes", "output_axes")}
_FAN_SCALED = {"seed": SEED, **_AXES_OF_FAN}

INITIALIZERS: Final[Mapping[str, Recipe]] = {
    "Zeros": Recipe(initializers.Zeros, {}),
    "Ones": Recipe(initializers.Ones, {}),
    "Constant": Recipe(initializers.Constant, {"value": Argument(number(), 0.0)}),
    "Identity": Recipe(initializers.Identity, {"gain": Argument(number(), 1.0)}),
    "Orthogonal": Recipe(initializers.Orthogonal, {"gain": Argument(number(), 1.0), "seed": SEED}),
    **{
        name: Recipe(getattr(initializers, name), _FAN_SCALED)
        for name in ("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform")
    },
    **{
        name: Recipe(
            getattr(initializers, name),
            {"mean": Argument(number(), 0.0), "stddev": Argument(number(), 0.05), "seed": SEED},
        )
        for name in ("RandomNormal", "TruncatedNormal")
    },
    "RandomUniform": Recipe(
        initializers.RandomUniform,
        {"minval": Argument(number(), -0.05), "maxval": Argument(number(), 0.05), "seed": SEED},
    ),
    "VarianceScaling": Recipe(
        initializers.VarianceScaling,
        {
            "scale": Argument(number(0), 1.0),
            "mode": Argument(choice("fan_in", "fan_out", "fan_avg"), "fan_in"),
            "distribution": Argument(
                choice("truncated_normal", "untruncated_normal", "uniform", "normal"), "truncated_normal"
            ),
            **_FAN_SCALED,
        },
    ),
}

_PENALTY = Argument(number(), 0.01)
REGULARIZERS: Final[Mapping[str, Recipe]] = {
    "L1": Recipe(regularizers.L1, {"l1": _PENALTY}),
    "L2": Recipe(regularizers.L2, {"l2": _PENALTY}),
    "L1L2": Recipe(regularizers.L1L2, {"l1": Argument(number(), 0.0), "l2": Argument(number(), 0.0)}),
    "OrthogonalRegularizer": Recipe(
        regularizers.OrthogonalRegularizer,
        {"factor": _PENALTY, "mode": Argument(choice("rows", "columns"), "rows")},
    ),
}

_NORM_AXES = Argument(AXES, 0)
CONSTRAINTS: Final[Mapping[str, Recipe]] = {
    "MaxNorm": Recipe(constraints.MaxNorm, {"max_value": Argument(number(0), 2), "axis": _NORM_AXES}),
    "MinMaxNorm": Recipe(
        constraints.MinMaxNorm,
        {
            "min_value": Argument(number(0), 0.0),
            "max_value": Argument(number(0), 1.0),
            "rate": Argument(number(0, 1), 1.0),
            "axis": _NORM_AXES,
        },
    ),
    "NonNeg": Recipe(constraints.NonNeg, {}),
    "UnitNorm": Recipe(constraints.UnitNorm, {"axis": _NORM_AXES}),
}

_FLOATS: Final = ("float16", "bfloat16", "float32", "float64")
_INTEGERS: Final = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
POLICIES: Final = (*_FLOATS, "mixed_float16", "mixed_bfloat16", *_INTEGERS)
DTYPES: Final = (*_FLOATS, *_INTEGERS)

initializer: Final = from_table(INITIALIZERS, "initializer")
regularizer: Final = from_table(REGULARIZERS, "regularizer")
constraint: Final = from_table(CONSTRAINTS, "constraint")


def activation_function(value: Json) -> Callable[..., Any] | None:
    """The function for an activation's name; None stays None.

    Raises:
        RefusedError: the name is in no table.
    """
    if value is None:
        return None
    if isinstance(value, str) and value in LEGACY_ACTIVATIONS:
        return LEGACY_ACTIVATIONS[value]()
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise RefusedError(f"{shown(value)} is no known activation")
    return ACTIVATIONS[value]


def policy(value: Json) -> keras.DTypePolicy:
    """The dtype policy of that name, or of a ``DTypePolicy`` object; None is float32.

    Raises:
        RefusedError: the name is in no table.
    """
    name: Json = "float32" if value is None else value
    if isinstance(value, dict):
        kind, config = kind_and_config(value)
        name = config.get("name") if kind == "DTypePolicy" else None
    if name not in POLICIES:
        raise RefusedError(f"{shown(value)} is no known dtype")
    return keras.DTypePolicy(name)


def _default(kind: str) -> Json:
    return {"kind": kind, "config": {}}


ZEROS: Final = Argument(initializer, _default("Zeros"))
ONES: Final = Argument(initializer, _default("Ones"))
GLOROT: Final = Argument(initializer, _default("GlorotUniform"))
ORTHOGONAL: Final = Argument(initializer, _default("Orthogonal"))
UNIFORM: Final = Argument(initializer, _default("RandomUniform"))
REGULARIZER: Final = Argument(regularizer)
CONSTRAINT: Final = Argument(constraint)
NEVER: Final = Argument(only(None))
NO: Final = Argument(only(False, None), False)
YES: Final = Argument(flag, True)
FLAG: Final = Argument(flag, False)

"""The allowlist's operations: Keras 3 op nodes (``x + 3.0``, ``x[:, 0]``) that stand in a functional graph.

In a spec an operation is a layer whose ``kind`` is the operation's class name and whose calls carry its
operands.  ``Add``, ``Subtract``, ``Multiply``, ``Maximum`` and ``Minimum`` name a merging layer too: the layer takes
one tuple of tensors, the operation two operands.  ``Concatenate``, ``Softmax`` and the parameterless
activations need no operation: they are built as the layers that do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import keras
from keras.src.ops import core as core_ops
from keras.src.ops import linalg as linalg_ops
from keras.src.ops import math as math_ops
from keras.src.ops import nn as nn_ops
from keras.src.ops import numpy as numpy_ops

from analyzers.building.array_ops import ARRAYS, ATTENTION, CHOOSING, IMAGES
from analyzers.building.checks import (
    AXES,
    AXIS,
    EPSILON,
    MAX_SIZE,
    Argument,
    RefusedError,
    choice,
    flag,
    integer,
    listed,
    number,
    optional,
    required,
)
from analyzers.building.matrix_ops import MATRICES, SIGNALS
from analyzers.building.objects import DTYPES, FLAG, Recipe
from analyzers.spec import Json
from analyzers.spec.operations import BINARY, PLACES, QUANTILES, REDUCTIONS, UNARY

_PLAIN: Final = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "GetItem", "Where", "Matmul")
_REDUCTION: Final = {"axis": Argument(optional(AXES)), "keepdims": FLAG}
_CUMULATION: Final = {"axis": Argument(optional(AXIS))}
_DTYPE: Final = Argument(optional(choice(*DTYPES)))
_INITIAL: Final = Argument(optional(number()))
_MODULES: Final = (numpy_ops, math_ops, core_ops, nn_ops, linalg_ops)


def _class(name: str) -> Callable[..., keras.Operation]:
    return next(getattr(module, name) for module in _MODULES if hasattr(module, name))  # type: ignore[no-any-return]


OPERATIONS: Final[Mapping[str, Recipe]] = {
    **{name: Recipe(_class(name), {}) for name in (*_PLAIN, *UNARY, *BINARY)},
    **{name: Recipe(_class(name), _REDUCTION) for name in REDUCTIONS},
    **{name: Recipe(_class(name), _REDUCTION | {"initial": _INITIAL}) for name in ("Max", "Min")},
    "Prod": Recipe(numpy_ops.Prod, {**_REDUCTION, "dtype": _DTYPE}),
    **{
        name: Recipe(
            getattr(numpy_ops, name),
            {
                **_REDUCTION,
                "method": Argument(choice("linear", "lower", "higher", "midpoint", "nearest"), "linear"),
            },
        )
        for name in QUANTILES
    },
    "Flip": Recipe(numpy_ops.Flip, {"axis": Argument(optional(AXES))}),
    **{
        name: Recipe(getattr(numpy_ops, name), {"axis": Argument(optional(AXIS)), "keepdims": FLAG})
        for name in PLACES
    },
    "Tile": Recipe(numpy_ops.Tile, {"repeats": required(listed(integer(1, MAX_SIZE), 1))}),
    "Stack": Recipe(numpy_ops.Stack, {"axis": Argument(AXIS, 0)}),
    "Isclose": Recipe(numpy_ops.Isclose, {"equal_nan": FLAG}),
    "LogSoftmax": Recipe(nn_ops.LogSoftmax, {"axis": Argument(AXIS, -1)}),
    "Sparsemax": Recipe(nn_ops.Sparsemax, {"axis": Argument(AXIS, -1)}),
    "Gelu": Recipe(nn_ops.Gelu, {"approximate": Argument(flag, True)}),
    "Celu": Recipe(nn_ops.Celu, {"alpha": Argument(number(), 1.0)}),
    "Squareplus": Recipe(nn_ops.Squareplus, {"b": Argument(number(0), 4)}),
    **{
        name: Recipe(getattr(nn_ops, name), {"threshold": Argument(number(0), 0.5)})
        for name in ("HardShrink", "SoftShrink")
    },
    "Threshold": Recipe(
        nn_ops.Threshold, {"threshold": required(number()), "default_value": required(number())}
    ),
    **{
        name: Recipe(getattr(numpy_ops, name), {**_CUMULATION, "dtype": _DTYPE})
        for name in ("Cumsum", "Cumprod", "Nancumsum", "Nancumprod")
    },
    "NanToNum": Recipe(
        numpy_ops.NanToNum,
        {
            "nan": Argument(number(), 0.0),
            "posinf": Argument(optional(number())),
            "neginf": Argument(optional(number())),
        },
    ),
    "Round": Recipe(numpy_ops.Round, {"decimals": Argument(integer(0, 10), 0)}),
    "Normalize": Recipe(
        nn_ops.Normalize,
        {
            "axis": Argument(AXIS, -1),
            "order": Argument(integer(1, 16), 2),
            "epsilon": Argument(optional(EPSILON)),
        },
    ),
    "Clip": Recipe(numpy_ops.Clip, {"x_min": required(number()), "x_max": required(number())}),
    "ExpandDims": Recipe(numpy_ops.ExpandDims, {"axis": required(AXES)}),
    "Squeeze": Recipe(numpy_ops.Squeeze, {"axis": Argument(optional(AXES))}),
    "Transpose": Recipe(numpy_ops.Transpose, {"axes": Argument(optional(listed(AXIS)))}),
    **{
        name: Recipe(getattr(core_ops, name), {"dtype": required(choice(*DTYPES))})
        for name in ("Cast", "SaturateCast")
    },
    **ARRAYS,
    **CHOOSING,
    **IMAGES,
    **ATTENTION,
    **MATRICES,
    **SIGNALS,
}
"""Kind -> how to make the operation."""


def make_operation(kind: str, config: Mapping[str, Json], name: str) -> keras.Operation:
    """A fresh operation node.

    Raises:
        RefusedError: the kind is not in the table, or an argument is outside its range.
    """
    if kind not in OPERATIONS:
        raise RefusedError(f"{kind!r} is not an operation that unstuck builds")
    operation: keras.Operation = OPERATIONS[kind](config)
    operation.name = name
    return operation

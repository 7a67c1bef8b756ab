"""The allowlist's operations on matrices and signals, and its products of tensors."""

from __future__ import annotations

from typing import Final

from keras.src.ops import linalg, math, nn
from keras.src.ops import numpy as np_ops

from analyzers.building.checks import (
    AXES,
    AXIS,
    MAX_SIZE,
    Argument,
    choice,
    either,
    integer,
    listed,
    number,
    only,
    optional,
    required,
    subscripts,
)
from analyzers.building.objects import FLAG, NO, YES, Recipe

_UPPER: Final = {"upper": FLAG}
_FFT_LENGTH: Final = {"fft_length": Argument(optional(integer(1, MAX_SIZE)))}

MATRICES: Final[dict[str, Recipe]] = {
    "CDist": Recipe(math.CDist, {}),
    **{name: Recipe(getattr(linalg, name), _UPPER) for name in ("Cholesky", "CholeskyInverse")},
    "Cross": Recipe(
        np_ops.Cross,
        {**dict.fromkeys(("axisa", "axisb", "axisc"), Argument(AXIS, -1)), "axis": Argument(optional(AXIS))},
    ),
    "Einsum": Recipe(np_ops.Einsum, {"subscripts": required(subscripts)}),
    **{name: Recipe(getattr(linalg, name), {}) for name in ("Det", "Eigh", "Solve")},
    "Inner": Recipe(np_ops.Inner, {}),
    "Logdet": Recipe(math.Logdet, {}),
    "Moments": Recipe(
        nn.Moments,
        {"axes": required(AXES), "keepdims": FLAG, "synchronized": NO},
    ),
    "Norm": Recipe(
        linalg.Norm,
        {
            "ord": Argument(optional(either(number(), choice("euclidean", "fro", "nuc")))),
            "axis": Argument(optional(AXES)),
            "keepdims": FLAG,
        },
    ),
    "Qr": Recipe(linalg.Qr, {"mode": Argument(choice("reduced", "complete"), "reduced")}),
    "SVD": Recipe(linalg.SVD, {"full_matrices": YES, "compute_uv": Argument(only(True), True)}),
    "SolveTriangular": Recipe(linalg.SolveTriangular, {"lower": FLAG}),
    "Tensordot": Recipe(
        np_ops.Tensordot, {"axes": Argument(either(integer(0, 8), listed(listed(AXIS), 2, 2)), 2)}
    ),
    "Trace": Recipe(
        np_ops.Trace,
        {
            "offset": Argument(integer(-MAX_SIZE, MAX_SIZE), 0),
            "axis1": Argument(AXIS, 0),
            "axis2": Argument(AXIS, 1),
        },
    ),
}
"""Operation -> how to make it."""

SIGNALS: Final[dict[str, Recipe]] = {
    **{name: Recipe(getattr(math, name), {}) for name in ("FFT", "FFT2", "IFFT2")},
    **{name: Recipe(getattr(math, name), _FFT_LENGTH) for name in ("IRFFT", "RFFT")},
}
"""Fourier transforms; complex numbers are pairs of tensors -> how to make them."""

"""Operations of Keras 3 by the shape of what they make: one table for reading, building and shapes."""

from __future__ import annotations

from typing import Final

WHOLE_NUMBERS: Final = frozenset(
    {"BitwiseAnd", "BitwiseInvert", "BitwiseLeftShift", "BitwiseNot", "BitwiseOr", "BitwiseRightShift", "BitwiseXor",
     "Gcd", "Lcm", "LeftShift", "RightShift"}
)  # fmt: skip
"""Elementwise on whole numbers alone; among the unary and binary ones below."""

UNARY: Final = frozenset(
    {"Abs", "Absolute", "Arccos", "Arccosh", "Arcsin", "Arcsinh", "Arctan", "Arctanh", "BitwiseInvert", "BitwiseNot",
     "Cbrt", "Ceil", "Copy", "Cos", "Cosh", "Deg2rad", "Erf", "Erfc", "Erfinv", "Exp", "Exp2", "Expm1", "Fabs", "Fliplr",
     "Flipud", "Floor", "I0", "Inv", "Isfinite", "Isinf", "Isnan", "Isneginf", "Isposinf", "Log", "Log10", "Log1p",
     "Log2", "LogicalNot", "Negative", "Rad2deg", "Reciprocal", "Rsqrt", "Sign", "Signbit", "Sin", "Sinc", "Sinh", "Sqrt",
     "Square", "StopGradient", "Tan", "Trunc"}
)  # fmt: skip
"""One tensor to one of its shape, without settings; nearly all of them elementwise."""

BINARY: Final = frozenset(
    {"Arctan2", "BitwiseAnd", "BitwiseLeftShift", "BitwiseOr", "BitwiseRightShift", "BitwiseXor", "Divide",
     "DivideNoNan", "Equal", "FloorDivide", "Fmax", "Fmin", "Fmod", "Gcd", "Greater", "GreaterEqual", "Heaviside",
     "Hypot", "Lcm", "Ldexp", "LeftShift", "Less", "LessEqual", "Logaddexp", "Logaddexp2", "LogicalAnd", "LogicalOr",
     "LogicalXor", "Mod", "Nextafter", "NotEqual", "Power", "RightShift", "TrueDivide"}
)  # fmt: skip
"""Elementwise on two operands, without settings; those that are also layers (``Add`` ...) are not among them."""

REDUCTIONS: Final = frozenset(
    {"All", "Amax", "Amin", "Any", "Logsumexp", "Max", "Mean", "Median", "Min", "Nanmax", "Nanmean", "Nanmedian", "Nanmin",
     "Nanprod", "Nanstd", "Nansum", "Nanvar", "Prod", "Ptp", "Std", "Sum", "Var"}
)  # fmt: skip
"""One number out of some axes: ``axis``, ``keepdims``."""

PLACES: Final = frozenset({"Argmax", "Argmin", "Nanargmax", "Nanargmin"})
"""The place of one number along an axis, or of all: ``axis``, ``keepdims``."""

QUANTILES: Final = frozenset({"Nanpercentile", "Nanquantile", "Percentile", "Quantile"})
"""Reductions that are told a share, or several: ``axis``, ``method``, ``keepdims``."""


def _settings(*names: str) -> frozenset[str]:
    return frozenset(names)


SAME_SHAPE: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(("Cumsum", "Cumprod", "Nancumsum", "Nancumprod"), _settings("axis", "dtype")),
    **dict.fromkeys(("Argsort", "Flip", "Sort"), _settings("axis")),
    **dict.fromkeys(("Cast", "SaturateCast", "FullLike", "OnesLike", "ZerosLike"), _settings("dtype")),
    **dict.fromkeys(("LogSoftmax", "Softmax", "Sparsemax"), _settings("axis")),
    **dict.fromkeys(("HardShrink", "SoftShrink"), _settings("threshold")),
    **dict.fromkeys(("Cholesky", "CholeskyInverse"), _settings("upper")),
    **dict.fromkeys(("HSVToRGB", "RGBToHSV"), _settings("data_format")),
    **dict.fromkeys(("Tril", "Triu"), _settings("k")),
    "Argpartition": _settings("kth", "axis"),
    "Celu": _settings("alpha"),
    "Clip": _settings("x_min", "x_max"),
    "Digitize": _settings(),
    "GaussianBlur": _settings("kernel_size", "sigma", "data_format"),
    "Gelu": _settings("approximate"),
    "NanToNum": _settings("nan", "posinf", "neginf"),
    "Normalize": _settings("axis", "order", "epsilon"),
    "Roll": _settings("shift", "axis"),
    "Round": _settings("decimals"),
    "Squareplus": _settings("b"),
    "Threshold": _settings("threshold", "default_value"),
}  # fmt: skip
"""Operations with settings whose result has their first tensor's shape -> the settings."""

SETTINGS: Final[dict[str, frozenset[str]]] = {
    **SAME_SHAPE,
    **dict.fromkeys(REDUCTIONS | PLACES, _settings("axis", "keepdims")),
    **dict.fromkeys(QUANTILES, _settings("axis", "method", "keepdims")),
    **dict.fromkeys(("MaxPool", "AveragePool"), _settings("pool_size", "strides", "padding", "data_format")),
    **dict.fromkeys(("ArraySplit", "Split"), _settings("indices_or_sections", "axis")),
    **dict.fromkeys(("Dsplit", "Hsplit"), _settings("indices_or_sections")),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _settings("block_size", "data_format")),
    **dict.fromkeys(("Diagonal", "Trace"), _settings("offset", "axis1", "axis2")),
    **dict.fromkeys(
        ("Append", "Concatenate", "CountNonzero", "ExpandDims", "Glu", "Squeeze", "Stack", "Take",
         "TakeAlongAxis"), _settings("axis"),
    ),
    **{
        f"{what}Images": _settings(
            *(f"{side}_{how}" for side in ("top", "left", "bottom", "right")),
            *("target_height", "target_width", "data_format"),
        )
        for what, how in (("Crop", "cropping"), ("Pad", "padding"))
    },
    "Cross": _settings("axisa", "axisb", "axisc", "axis"),
    "Diff": _settings("n", "axis"),
    "DotProductAttention": _settings("is_causal", "flash_attention", "attn_logits_soft_cap"),
    "Einsum": _settings("subscripts"),
    "ExtractPatches": _settings("size", "strides", "dilation_rate", "padding", "data_format"),
    "IRFFT": _settings("fft_length"),
    "Isclose": _settings("equal_nan"),
    **dict.fromkeys(("Max", "Min"), _settings("axis", "keepdims", "initial")),
    "Moments": _settings("axes", "keepdims", "synchronized"),
    "Moveaxis": _settings("source", "destination"),
    "Norm": _settings("ord", "axis", "keepdims"),
    "OneHot": _settings("num_classes", "axis", "dtype", "sparse"),
    "Pad": _settings("pad_width", "mode"),
    "Prod": _settings("axis", "keepdims", "dtype"),
    "Qr": _settings("mode"),
    "RFFT": _settings("fft_length"),
    "RGBToGrayscale": _settings("data_format"),
    "Repeat": _settings("repeats", "axis"),
    "Reshape": _settings("newshape"),
    "Resize": _settings(
        *("size", "interpolation", "antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio"),
        *("fill_mode", "fill_value", "data_format"),
    ),
    "Rot90": _settings("k", "axes"),
    "SVD": _settings("full_matrices", "compute_uv"),
    "SobelEdges": _settings("data_format"),
    "SolveTriangular": _settings("lower"),
    "Swapaxes": _settings("axis1", "axis2"),
    "Tensordot": _settings("axes"),
    "Tile": _settings("repeats"),
    "TopK": _settings("k", "sorted"),
    "Transpose": _settings("axes"),
    "Trapezoid": _settings("x", "dx", "axis"),
    "Unstack": _settings("num", "axis"),
}  # fmt: skip
"""Operation -> its settings, for all that have any."""

UNSET: Final = frozenset(
    {"CDist", "Det", "Dstack", "Eigh", "FFT", "FFT2", "GetItem", "Hstack", "IFFT2", "Inner", "Logdet", "Matmul", "Ravel",
     "Solve", "Vstack", "Where"}
)  # fmt: skip
"""Operations without settings that are neither elementwise nor among those of their tensor's shape."""

SEVERAL: Final = frozenset(
    {"ArraySplit", "Dsplit", "Eigh", "FFT", "FFT2", "Hsplit", "IFFT2", "Moments", "Qr", "RFFT", "SVD", "Split",
     "TopK", "Unstack"}
)  # fmt: skip
"""Operations that give a list of tensors."""

LINEAR: Final = frozenset(
    {"Append", "ArraySplit", "AveragePool", "Cast", "Concatenate", "Copy", "CropImages", "Cumsum", "Deg2rad",
     "DepthToSpace", "Diagonal", "Diff", "Dsplit", "Dstack", "ExpandDims", "ExtractPatches", "FFT", "FFT2", "Flip",
     "Fliplr", "Flipud", "FullLike", "GaussianBlur", "GetItem", "Hsplit", "Hstack", "IFFT2", "IRFFT", "Mean", "Moveaxis",
     "Negative", "OnesLike", "Pad", "PadImages", "RFFT", "RGBToGrayscale", "Rad2deg", "Ravel", "Repeat", "Reshape",
     "Resize", "Roll", "Rot90", "SobelEdges", "SpaceToDepth", "Split", "Squeeze", "Stack", "StopGradient", "Sum",
     "Swapaxes", "Take", "TakeAlongAxis", "Tile", "Trace", "Transpose", "Trapezoid", "Tril", "Triu", "Unstack", "Vstack",
     "ZerosLike"}
)  # fmt: skip
"""Operations whose result is a linear function of their tensors."""

PRODUCTS: Final = frozenset({"Divide", "Einsum", "Inner", "Matmul", "Multiply", "Tensordot", "TrueDivide"})
"""Operations that are linear in one tensor, and not in two."""

BENDING: Final = (UNARY | BINARY | UNSET | frozenset(SETTINGS)) - LINEAR - PRODUCTS
"""Operations whose result is no linear function of their tensors."""

REORDERING: Final = frozenset(
    {"ArraySplit", "AveragePool", "Copy", "CropImages", "DepthToSpace", "Dsplit", "Dstack", "ExtractPatches", "Flip", "Fliplr",
     "Flipud", "Hsplit", "Hstack", "MaxPool", "Moveaxis", "Pad", "PadImages", "Ravel", "Repeat", "Resize", "Roll", "Rot90",
     "SpaceToDepth", "Split", "Stack", "StopGradient", "Swapaxes", "Take", "Tile", "Unstack", "Vstack"}
)  # fmt: skip
"""Operations that hand on numbers as they are, or averages of them, in another order."""

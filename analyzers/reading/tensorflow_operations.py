"""TensorFlow functions in graphs of tf.keras 2, and the operations of Keras 3 that they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from analyzers.spec.model import Argument, Json


def _lower(value: Json) -> Json:
    return value.lower() if isinstance(value, str) else value


def _alone(value: Json) -> Json:
    """The one axis of a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _root(value: Json) -> Json:
    """Keras bounds a norm from below, TensorFlow its square."""
    return math.sqrt(value) if isinstance(value, int | float) and value >= 0 else value


def _euclidean(value: Json) -> Json:
    """Keras calls the usual norm None."""
    return None if value == "euclidean" else value


def _ends(value: Json) -> Json:
    """Keras counts where parts end, TensorFlow how long they are."""
    if not isinstance(value, list):
        return value
    sizes = [size for size in value[:-1] if isinstance(size, int) and size >= 0]
    if len(sizes) != len(value) - 1:
        return value
    return [*accumulate(sizes)]


def _sides(value: Json) -> Json:
    """Height and width of ``[1, height, width, 1]``, and likewise in three dimensions."""
    return value[1:-1] if isinstance(value, list) and len(value) > 3 else value


@dataclass(frozen=True)
class TensorFlowOperation:
    """How a TFOpLambda function reads in Keras 3.

    Attributes:
        kind: the operation.
        operands: names of the function's tensor arguments, the first being the inbound tensor.
        settings: function argument -> setting of the operation.
        defaults: settings that the function has where a call leaves them out, for those that Keras's has
            otherwise.
        convert: setting -> what Keras makes of the function's value, where it is not the same.
        aside: function arguments that change no value.
    """

    kind: str
    operands: tuple[str, ...]
    settings: Mapping[str, str]
    defaults: Mapping[str, Json] = field(default_factory=dict)
    convert: Mapping[str, Callable[[Json], Json]] = field(default_factory=dict)
    aside: frozenset[str] = frozenset()


def _binary(kind: str) -> TensorFlowOperation:
    return TensorFlowOperation(kind, ("x", "y"), {})


def _unary(kind: str, operand: str = "x") -> TensorFlowOperation:
    return TensorFlowOperation(kind, (operand,), {})


_REDUCTION: Final = {"axis": "axis", "keepdims": "keepdims"}

_POOL: Final = {"ksize": "pool_size", "strides": "strides", "padding": "padding"}
_POOLED: Final = {"pool_size": _sides, "strides": _sides, "padding": _lower}

TENSORFLOW: Final[dict[str, TensorFlowOperation]] = {
    "__operators__.add": _binary("Add"),
    "math.add": _binary("Add"),
    "math.subtract": _binary("Subtract"),
    "math.multiply": _binary("Multiply"),
    "math.divide": _binary("Divide"),
    "math.truediv": _binary("TrueDivide"),
    "math.maximum": _binary("Maximum"),
    "math.minimum": _binary("Minimum"),
    "math.pow": _binary("Power"),
    "math.negative": _unary("Negative"),
    "math.abs": _unary("Absolute"),
    "math.square": _unary("Square"),
    "math.sqrt": _unary("Sqrt"),
    "math.rsqrt": _unary("Rsqrt"),
    "math.exp": _unary("Exp"),
    "math.log": _unary("Log"),
    "nn.relu": _unary("Relu", "features"),
    "nn.relu6": _unary("Relu6", "features"),
    "nn.silu": _unary("Silu", "features"),
    "math.sigmoid": _unary("Sigmoid"),
    "math.tanh": _unary("Tanh"),
    "nn.softmax": TensorFlowOperation("Softmax", ("logits",), {"axis": "axis"}),
    "nn.bias_add": TensorFlowOperation("Add", ("value", "bias"), {}),
    "concat": TensorFlowOperation("Concatenate", ("values",), {"axis": "axis"}),
    "stack": TensorFlowOperation("Stack", ("values",), {"axis": "axis"}, {"axis": 0}),
    "cast": TensorFlowOperation("Cast", ("x",), {"dtype": "dtype"}),
    "expand_dims": TensorFlowOperation("ExpandDims", ("input",), {"axis": "axis"}),
    "math.reduce_mean": TensorFlowOperation("Mean", ("input_tensor",), _REDUCTION),
    "math.reduce_sum": TensorFlowOperation("Sum", ("input_tensor",), _REDUCTION),
    "math.reduce_max": TensorFlowOperation("Max", ("input_tensor",), _REDUCTION),
    "math.reduce_min": TensorFlowOperation("Min", ("input_tensor",), _REDUCTION),
    "math.reduce_prod": TensorFlowOperation("Prod", ("input_tensor",), _REDUCTION),
    "math.reduce_std": TensorFlowOperation("Std", ("input_tensor",), _REDUCTION),
    "math.reduce_variance": TensorFlowOperation("Var", ("input_tensor",), _REDUCTION),
    "math.reduce_any": TensorFlowOperation("Any", ("input_tensor",), _REDUCTION),
    "math.reduce_all": TensorFlowOperation("All", ("input_tensor",), _REDUCTION),
    "math.reduce_euclidean_norm": TensorFlowOperation("Norm", ("input_tensor",), _REDUCTION),
    "math.reduce_logsumexp": TensorFlowOperation("Logsumexp", ("input_tensor",), _REDUCTION),
    **{
        f"math.{kind.lower()}": _unary(kind)
        for kind in (
            "Sin",
            "Cos",
            "Tan",
            "Sinh",
            "Cosh",
            "Log1p",
            "Expm1",
            "Sign",
            "Floor",
            "Ceil",
            "Reciprocal",
            "Erf",
        )
    },
    **{
        f"math.{name}": _unary(kind)
        for name, kind in (
            ("asin", "Arcsin"),
            ("acos", "Arccos"),
            ("atan", "Arctan"),
            ("asinh", "Arcsinh"),
            ("acosh", "Arccosh"),
            ("atanh", "Arctanh"),
            ("is_nan", "Isnan"),
            ("log_sigmoid", "LogSigmoid"),
            ("round", "Round"),
        )
    },
    "identity": _unary("Copy", "input"),
    "stop_gradient": _unary("StopGradient", "input"),
    "image.rgb_to_grayscale": _unary("RGBToGrayscale", "images"),
    "ones_like": TensorFlowOperation("OnesLike", ("input",), {"dtype": "dtype"}),
    "zeros_like": TensorFlowOperation("ZerosLike", ("input",), {"dtype": "dtype"}),
    "math.add_n": TensorFlowOperation("Add", ("inputs",), {}),
    **{
        f"math.{name}": _binary(kind)
        for name, kind in (
            ("equal", "Equal"),
            ("not_equal", "NotEqual"),
            ("less", "Less"),
            ("less_equal", "LessEqual"),
            ("greater", "Greater"),
            ("greater_equal", "GreaterEqual"),
            ("logical_and", "LogicalAnd"),
            ("logical_or", "LogicalOr"),
            ("floormod", "Mod"),
            ("floordiv", "FloorDivide"),
            ("divide_no_nan", "DivideNoNan"),
            ("atan2", "Arctan2"),
        )
    },
    "math.logical_not": _unary("LogicalNot"),
    "math.softplus": _unary("Softplus", "features"),
    "nn.softplus": _unary("Softplus", "features"),
    "nn.softsign": _unary("Softsign", "features"),
    "nn.selu": _unary("Selu", "features"),
    "nn.elu": _unary("Elu", "features"),
    "nn.leaky_relu": TensorFlowOperation(
        "LeakyRelu", ("features",), {"alpha": "negative_slope"}, {"negative_slope": 0.2}
    ),
    "nn.gelu": TensorFlowOperation(
        "Gelu", ("features",), {"approximate": "approximate"}, {"approximate": False}
    ),
    "nn.log_softmax": TensorFlowOperation("LogSoftmax", ("logits",), {"axis": "axis"}, {"axis": -1}),
    "linalg.matmul": TensorFlowOperation("Matmul", ("a", "b"), {}),
    "where": TensorFlowOperation("Where", ("condition", "x", "y"), {}),
    "reshape": TensorFlowOperation("Reshape", ("tensor",), {"shape": "newshape"}),
    "tile": TensorFlowOperation("Tile", ("input",), {"multiples": "repeats"}),
    "reverse": TensorFlowOperation("Flip", ("tensor",), {"axis": "axis"}),
    "transpose": TensorFlowOperation("Transpose", ("a",), {"perm": "axes"}),
    "squeeze": TensorFlowOperation("Squeeze", ("input",), {"axis": "axis"}),
    "clip_by_value": TensorFlowOperation(
        "Clip", ("t",), {"clip_value_min": "x_min", "clip_value_max": "x_max"}
    ),
    "__operators__.getitem": TensorFlowOperation("GetItem", ("tensor", "slice_spec"), {}),
    **dict.fromkeys(
        ("norm", "linalg.norm"),
        TensorFlowOperation("Norm", ("tensor",), {"ord": "ord", **_REDUCTION}, {}, {"ord": _euclidean}),
    ),
    **dict.fromkeys(
        ("math.l2_normalize", "nn.l2_normalize", "linalg.l2_normalize"),
        TensorFlowOperation(
            "Normalize",
            ("x",),
            {"axis": "axis", "epsilon": "epsilon"},
            {"epsilon": 1e-6},
            {"axis": _alone, "epsilon": _root},
        ),
    ),
    **dict.fromkeys(
        ("argmax", "math.argmax"), TensorFlowOperation("Argmax", ("input",), {"axis": "axis"}, {"axis": 0})
    ),
    **dict.fromkeys(
        ("argmin", "math.argmin"), TensorFlowOperation("Argmin", ("input",), {"axis": "axis"}, {"axis": 0})
    ),
    **dict.fromkeys(
        ("cumsum", "math.cumsum"), TensorFlowOperation("Cumsum", ("x",), {"axis": "axis"}, {"axis": 0})
    ),
    "gather": TensorFlowOperation("Take", ("params", "indices"), {"axis": "axis"}, {"axis": 0}),
    "image.resize": TensorFlowOperation(
        "Resize", ("images",), {"size": "size", "method": "interpolation", "antialias": "antialias"}
    ),
    "math.top_k": TensorFlowOperation("TopK", ("input",), {"k": "k", "sorted": "sorted"}, {"k": 1}),
    "nn.depth_to_space": TensorFlowOperation("DepthToSpace", ("input",), {"block_size": "block_size"}),
    "nn.space_to_depth": TensorFlowOperation("SpaceToDepth", ("input",), {"block_size": "block_size"}),
    **{
        f"nn.{how.lower()}_pool2d": TensorFlowOperation(
            f"{kind}Pool",
            ("input",),
            _POOL,
            {},
            _POOLED,
        )
        for how, kind in (("max", "Max"), ("avg", "Average"))
    },
    "one_hot": TensorFlowOperation(
        "OneHot", ("indices",), {"depth": "num_classes", "axis": "axis", "dtype": "dtype"}
    ),
    "pad": TensorFlowOperation(
        "Pad", ("tensor",), {"paddings": "pad_width", "mode": "mode"}, {}, {"mode": _lower}
    ),
    "repeat": TensorFlowOperation("Repeat", ("input",), {"repeats": "repeats", "axis": "axis"}),
    "roll": TensorFlowOperation(
        "Roll", ("input",), {"shift": "shift", "axis": "axis"}, {}, {"shift": _alone, "axis": _alone}
    ),
    "split": TensorFlowOperation(
        "Split",
        ("value",),
        {"num_or_size_splits": "indices_or_sections", "axis": "axis"},
        {"axis": 0},
        {"indices_or_sections": _ends},
    ),
    "tensordot": TensorFlowOperation("Tensordot", ("a", "b"), {"axes": "axes"}),
    "unstack": TensorFlowOperation("Unstack", ("value",), {"num": "num", "axis": "axis"}, {"axis": 0}),
    "keras.backend.batch_flatten": _unary("Flatten"),
    "math.scalar_mul": TensorFlowOperation("Multiply", ("scalar", "x"), {}),
    "math.accumulate_n": TensorFlowOperation("Add", ("inputs",), {}),
    "floor_div": _binary("FloorDivide"),
    "__operators__.ne": TensorFlowOperation("NotEqual", ("self", "other"), {}),
    "__operators__.eq": TensorFlowOperation("Equal", ("self", "other"), {}),
    **{
        f"math.{name}": _unary(kind)
        for name, kind in (
            ("bessel_i0", "I0"),
            ("erfc", "Erfc"),
            ("erfinv", "Erfinv"),
            ("is_finite", "Isfinite"),
            ("is_inf", "Isinf"),
            ("rint", "Round"),
        )
    },
    "ensure_shape": TensorFlowOperation("Copy", ("x",), {}, aside=frozenset({"shape"})),
    "debugging.check_numerics": TensorFlowOperation("Copy", ("tensor",), {}, aside=frozenset({"message"})),
    "math.cumprod": TensorFlowOperation("Cumprod", ("x",), {"axis": "axis"}, {"axis": 0}),
    "math.count_nonzero": TensorFlowOperation("CountNonzero", ("input",), {"axis": "axis"}),
    **{
        name: TensorFlowOperation(
            kind,
            ("values",),
            {"axis": "axis"},
            aside=frozenset({"stable"}),
        )
        for name, kind in (("sort", "Sort"), ("argsort", "Argsort"))
    },
    "linalg.matrix_transpose": TensorFlowOperation("Swapaxes", ("a",), {}, {"axis1": -2, "axis2": -1}),
    "linalg.trace": TensorFlowOperation("Trace", ("x",), {}, {"axis1": -2, "axis2": -1}),
    "linalg.diag_part": TensorFlowOperation("Diagonal", ("input",), {}, {"axis1": -2, "axis2": -1}),
    "linalg.det": _unary("Det", "input"),
    "linalg.inv": _unary("Inv", "input"),
    **{
        f"nn.{how.lower()}_pool{rank}": TensorFlowOperation(f"{kind}Pool", ("input",), _POOL, {}, _POOLED)
        for how, kind in (("max", "Max"), ("avg", "Average"))
        for rank in ("", "1d", "3d")
    },
    "image.flip_left_right": TensorFlowOperation("Flip", ("image",), {}, {"axis": -2}),
    "image.flip_up_down": TensorFlowOperation("Flip", ("image",), {}, {"axis": -3}),
    "image.rot90": TensorFlowOperation("Rot90", ("image",), {"k": "k"}, {"axes": [1, 2]}),
    "image.rgb_to_hsv": _unary("RGBToHSV", "images"),
    "image.hsv_to_rgb": _unary("HSVToRGB", "images"),
    "image.grayscale_to_rgb": TensorFlowOperation("Repeat", ("images",), {}, {"repeats": 3, "axis": -1}),
    "image.adjust_brightness": TensorFlowOperation("Add", ("image", "delta"), {}),
    **{
        f"image.{name}_to_bounding_box": TensorFlowOperation(
            f"{what}Images",
            ("image",),
            {
                "offset_height": f"top_{how}",
                "offset_width": f"left_{how}",
                "target_height": "target_height",
                "target_width": "target_width",
            },
        )
        for name, what, how in (("crop", "Crop", "cropping"), ("pad", "Pad", "padding"))
    },
    "image.extract_patches": TensorFlowOperation(
        "ExtractPatches",
        ("images",),
        {"sizes": "size", "strides": "strides", "rates": "dilation_rate", "padding": "padding"},
        {},
        {"size": _sides, "strides": _sides, "dilation_rate": _sides, "padding": _lower},
    ),
}
"""TFOpLambda and SlicingOpLambda functions that are plain arithmetic."""

COMPOSED: Final[dict[str, tuple[str, str]]] = {"math.squared_difference": ("math.subtract", "math.square")}
"""TensorFlow functions that are one after another."""


@dataclass(frozen=True)
class Chosen:
    """An operation that depends on what a function is told: its kind, its settings, its operands behind the first."""

    kind: str
    config: dict[str, Json] = field(default_factory=dict)
    operands: tuple[Argument, ...] = ()


def _band(told: Mapping[str, Argument]) -> Chosen | None:
    """A band of a matrix that is open to one side."""
    lower, upper = told.get("num_lower"), told.get("num_upper")
    if not isinstance(lower, int) or not isinstance(upper, int) or (lower < 0) == (upper < 0):
        return None
    return Chosen("Tril", {"k": upper}) if lower < 0 else Chosen("Triu", {"k": -lower})


def _block(told: Mapping[str, Argument]) -> Chosen | None:
    """A block of a tensor from where it begins and how far it goes, -1 being all."""
    return _indexed(
        told.get("begin"), told.get("size"), lambda begin, size: None if size == -1 else begin + size
    )


def _strided(told: Mapping[str, Argument]) -> Chosen | None:
    if any(value not in (None, 0) for name, value in told.items() if name.endswith("_mask")):
        return None
    steps = told.get("strides")
    if steps is not None and (not isinstance(steps, tuple) or set(steps) != {1}):
        return None
    return _indexed(told.get("begin"), told.get("end"), lambda _, end: end)


def _indexed(begins: Argument, ends: Argument, stop: Callable[[int, int], int | None]) -> Chosen | None:
    if not isinstance(begins, tuple) or not isinstance(ends, tuple) or len(begins) != len(ends):
        return None
    index: list[Argument] = []
    for begin, end in zip(begins, ends, strict=True):
        if not isinstance(begin, int) or not isinstance(end, int):
            return None
        index.append({"start": begin or None, "stop": stop(begin, end), "step": None})
    return Chosen("GetItem", {}, (tuple(index),))


CHOSEN: Final[dict[str, Callable[[Mapping[str, Argument]], Chosen | None]]] = {
    "linalg.band_part": _band,
    "slice": _block,
    "strided_slice": _strided,
}
"""TensorFlow functions whose operation depends on the arguments of a call; None where there is none."""

TRANSPOSED: Final[dict[str, tuple[str, str]]] = {"transpose_a": ("ij", "ji"), "transpose_b": ("jk", "kj")}
"""Switch of TensorFlow's matrix product -> an operand's axes without it and with it."""

OLD: Final = "compat.v1."
"""Prefix of functions that TensorFlow 2 took over from 1."""

"""The allowlist's operations that join, split, choose, reorder and resize tensors."""

from __future__ import annotations

from typing import Final

from keras.src.ops import core, image, math, nn
from keras.src.ops import numpy as np_ops

from analyzers.building.checks import (
    AXES,
    AXIS,
    DATA_FORMAT,
    MAX_COUNT,
    MAX_SIZE,
    Argument,
    choice,
    either,
    flag,
    integer,
    listed,
    number,
    only,
    optional,
    required,
    sizes,
)
from analyzers.building.objects import DTYPES, FLAG, NEVER, NO, YES, Recipe
from analyzers.spec.operation_shapes import MAX_PARTS

_ALONG: Final = {"axis": Argument(optional(AXIS))}
_PARTS: Final = required(either(integer(1, MAX_PARTS), listed(integer(0), 1, MAX_PARTS)))
_DTYPE: Final = Argument(optional(choice(*DTYPES)))
_SIDE: Final = Argument(optional(integer(0, MAX_SIZE)))
_FORMAT: Final = Argument(choice("channels_last", "channels_first"), "channels_last")
"""Where a class does not know that None is the usual format, as its function does."""

_POOL: Final = {
    "pool_size": required(either(integer(1, MAX_SIZE), listed(integer(1, MAX_SIZE), 1, 3))),
    "strides": Argument(optional(either(integer(1, MAX_SIZE), listed(integer(1, MAX_SIZE), 1, 3)))),
    "padding": Argument(choice("valid", "same"), "valid"),
    "data_format": _FORMAT,
}
_BLOCK: Final = {
    "block_size": required(integer(2, MAX_SIZE)),
    "data_format": _FORMAT,
}
_DIAGONAL: Final = {
    "offset": Argument(integer(-MAX_SIZE, MAX_SIZE), 0),
    "axis1": Argument(AXIS, 0),
    "axis2": Argument(AXIS, 1),
}
_MARGIN: Final = listed(integer(0, MAX_SIZE), 2, 2)


def _fitted(how: str) -> dict[str, Argument]:
    sides = (f"{side}_{how}" for side in ("top", "left", "bottom", "right"))
    return {
        **dict.fromkeys((*sides, "target_height", "target_width"), _SIDE),
        "data_format": DATA_FORMAT,
    }


ARRAYS: Final[dict[str, Recipe]] = {
    "Append": Recipe(np_ops.Append, _ALONG),
    "ArraySplit": Recipe(np_ops.ArraySplit, {"indices_or_sections": _PARTS, "axis": Argument(AXIS, 0)}),
    "DepthToSpace": Recipe(nn.DepthToSpace, _BLOCK),
    "Diagonal": Recipe(np_ops.Diagonal, _DIAGONAL),
    "Diff": Recipe(np_ops.Diff, {"n": Argument(integer(1, 16), 1), "axis": Argument(AXIS, -1)}),
    "Dsplit": Recipe(np_ops.Dsplit, {"indices_or_sections": _PARTS}),
    "Dstack": Recipe(np_ops.Dstack, {}),
    "Glu": Recipe(nn.Glu, {"axis": Argument(AXIS, -1)}),
    "Hsplit": Recipe(np_ops.Hsplit, {"indices_or_sections": _PARTS}),
    "Hstack": Recipe(np_ops.Hstack, {}),
    "Moveaxis": Recipe(np_ops.Moveaxis, {"source": required(AXES), "destination": required(AXES)}),
    "OneHot": Recipe(
        nn.OneHot,
        {
            "num_classes": required(integer(1)),
            "axis": Argument(AXIS, -1),
            "dtype": _DTYPE,
            "sparse": NO,
        },
    ),
    "Pad": Recipe(
        np_ops.Pad,
        {
            "pad_width": required(listed(_MARGIN, 1)),
            "mode": Argument(choice("constant", "reflect", "symmetric"), "constant"),
        },
    ),
    "Ravel": Recipe(np_ops.Ravel, {}),
    "Repeat": Recipe(
        np_ops.Repeat,
        {
            "repeats": required(either(integer(1, MAX_SIZE), listed(integer(0, MAX_SIZE), 1, MAX_SIZE))),
            **_ALONG,
        },
    ),
    "Roll": Recipe(np_ops.Roll, {"shift": required(integer(-MAX_COUNT)), "axis": Argument(optional(AXIS))}),
    "Rot90": Recipe(
        np_ops.Rot90, {"k": Argument(integer(-16, 16), 1), "axes": Argument(listed(AXIS, 2, 2), [0, 1])}
    ),
    "SpaceToDepth": Recipe(nn.SpaceToDepth, _BLOCK),
    "Split": Recipe(np_ops.Split, {"indices_or_sections": _PARTS, "axis": Argument(AXIS, 0)}),
    "Swapaxes": Recipe(np_ops.Swapaxes, {"axis1": required(AXIS), "axis2": required(AXIS)}),
    "Take": Recipe(np_ops.Take, _ALONG),
    "TakeAlongAxis": Recipe(np_ops.TakeAlongAxis, _ALONG),
    "Trapezoid": Recipe(
        np_ops.Trapezoid, {"x": NEVER, "dx": Argument(number(), 1.0), "axis": Argument(AXIS, -1)}
    ),
    "Unstack": Recipe(
        core.Unstack, {"num": Argument(optional(integer(1, MAX_PARTS))), "axis": Argument(AXIS, 0)}
    ),
    "Vstack": Recipe(np_ops.Vstack, {}),
    **{
        name: Recipe(getattr(np_ops, name), {"k": Argument(integer(-MAX_SIZE, MAX_SIZE), 0)})
        for name in ("Tril", "Triu")
    },
    **{
        name: Recipe(getattr(np_ops, name), {"dtype": _DTYPE})
        for name in ("FullLike", "OnesLike", "ZerosLike")
    },
}
"""Operation -> how to make it."""

CHOOSING: Final[dict[str, Recipe]] = {
    "Argpartition": Recipe(
        np_ops.Argpartition, {"kth": required(integer(-MAX_SIZE)), "axis": Argument(optional(AXIS), -1)}
    ),
    **{
        name: Recipe(getattr(np_ops, name), {"axis": Argument(optional(AXIS), -1)})
        for name in ("Argsort", "Sort")
    },
    "CountNonzero": Recipe(np_ops.CountNonzero, {"axis": Argument(optional(AXES))}),
    "Digitize": Recipe(np_ops.Digitize, {}),
    "TopK": Recipe(math.TopK, {"k": required(integer(1)), "sorted": YES}),
}
"""Operations that order and count -> how to make them."""

IMAGES: Final[dict[str, Recipe]] = {
    **{f"{how}Pool": Recipe(getattr(nn, f"{how}Pool"), _POOL) for how in ("Average", "Max")},
    "CropImages": Recipe(image.CropImages, _fitted("cropping")),
    "PadImages": Recipe(image.PadImages, _fitted("padding")),
    "ExtractPatches": Recipe(
        image.ExtractPatches,
        {
            "size": required(sizes(2)),
            "strides": Argument(optional(sizes(2))),
            "dilation_rate": Argument(sizes(2), 1),
            "padding": Argument(choice("valid", "same"), "valid"),
            "data_format": DATA_FORMAT,
        },
    ),
    "GaussianBlur": Recipe(
        image.GaussianBlur,
        {
            "kernel_size": Argument(listed(integer(1, 64), 2, 2), [3, 3]),
            "sigma": Argument(listed(number(0), 2, 2), [1.0, 1.0]),
            "data_format": DATA_FORMAT,
        },
    ),
    "Resize": Recipe(
        image.Resize,
        {
            "size": required(listed(integer(1, MAX_SIZE), 2, 2)),
            "interpolation": Argument(
                choice("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"), "bilinear"
            ),
            "antialias": FLAG,
            "crop_to_aspect_ratio": FLAG,
            "pad_to_aspect_ratio": FLAG,
            "fill_mode": Argument(only("constant"), "constant"),
            "fill_value": Argument(number(), 0.0),
            "data_format": DATA_FORMAT,
        },
    ),
    **{
        name: Recipe(getattr(image, name), {"data_format": DATA_FORMAT})
        for name in ("HSVToRGB", "RGBToGrayscale", "RGBToHSV", "SobelEdges")
    },
}
"""Operations on images -> how to make them."""

ATTENTION: Final[dict[str, Recipe]] = {
    "DotProductAttention": Recipe(
        nn.DotProductAttention,
        {
            "is_causal": FLAG,
            "flash_attention": Argument(optional(flag)),
            "attn_logits_soft_cap": Argument(optional(number(0))),
        },
    ),
}
"""Attention without weights -> how to make it."""

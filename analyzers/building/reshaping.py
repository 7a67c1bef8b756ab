"""The allowlist's layers without weights that change shapes: padding, cropping, repeating, reordering."""

from __future__ import annotations

from typing import Final

from keras import layers as kl

from analyzers.building.checks import (
    DATA_FORMAT,
    MAX_SIZE,
    Argument,
    choice,
    integer,
    listed,
    margins,
    number,
    required,
    sizes,
)
from analyzers.building.objects import Recipe

RESHAPING: Final[dict[str, Recipe]] = {
    "Flatten": Recipe(kl.Flatten, {"data_format": DATA_FORMAT}),
    "Reshape": Recipe(kl.Reshape, {"target_shape": required(listed(integer(-1)))}),
    "Permute": Recipe(kl.Permute, {"dims": required(listed(integer(1, 8), 1))}),
    "RepeatVector": Recipe(kl.RepeatVector, {"n": required(integer(1, MAX_SIZE))}),
    "ZeroPadding1D": Recipe(
        kl.ZeroPadding1D, {"padding": Argument(margins(1), 1), "data_format": DATA_FORMAT}
    ),
    "ZeroPadding2D": Recipe(
        kl.ZeroPadding2D, {"padding": Argument(margins(2), 1), "data_format": DATA_FORMAT}
    ),
    "ZeroPadding3D": Recipe(
        kl.ZeroPadding3D, {"padding": Argument(margins(3), 1), "data_format": DATA_FORMAT}
    ),
    "Cropping1D": Recipe(kl.Cropping1D, {"cropping": Argument(margins(1), 1)}),
    "Cropping2D": Recipe(kl.Cropping2D, {"cropping": Argument(margins(2), 0), "data_format": DATA_FORMAT}),
    "Cropping3D": Recipe(kl.Cropping3D, {"cropping": Argument(margins(3), 1), "data_format": DATA_FORMAT}),
    "UpSampling1D": Recipe(kl.UpSampling1D, {"size": Argument(integer(1, MAX_SIZE), 2)}),
    "UpSampling2D": Recipe(
        kl.UpSampling2D,
        {
            "size": Argument(sizes(2), 2),
            "data_format": DATA_FORMAT,
            "interpolation": Argument(
                choice("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"), "nearest"
            ),
        },
    ),
    "UpSampling3D": Recipe(kl.UpSampling3D, {"size": Argument(sizes(3), 2), "data_format": DATA_FORMAT}),
    "Identity": Recipe(kl.Identity, {}),
    "Masking": Recipe(kl.Masking, {"mask_value": Argument(number(), 0.0)}),
}
"""Kind -> how to make it."""

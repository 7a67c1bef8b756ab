"""The allowlist's image layers: resizing, cropping and random augmentation."""

from __future__ import annotations

from typing import Final

from keras import layers as kl

from analyzers.building.checks import (
    DATA_FORMAT,
    MAX_SIZE,
    RATE,
    SEED,
    Argument,
    choice,
    either,
    integer,
    listed,
    number,
    optional,
    required,
    sizes,
)
from analyzers.building.objects import FLAG, NEVER, Recipe

_FILL = {
    "fill_mode": Argument(choice("reflect", "wrap", "constant", "nearest"), "reflect"),
    "fill_value": Argument(number(), 0.0),
    "interpolation": Argument(choice("nearest", "bilinear"), "bilinear"),
}
_RANDOM = {"seed": SEED, "bounding_box_format": NEVER}
_PLACED = {**_RANDOM, "data_format": DATA_FORMAT}
_FACTOR = either(number(-100, 100), listed(number(-100, 100), 2, 2))
_PIXELS = Argument(listed(number(), 2, 2), [0, 255])
_SIDES = {
    "height": required(integer(1, MAX_SIZE)),
    "width": required(integer(1, MAX_SIZE)),
    "data_format": DATA_FORMAT,
}
_COLOUR = {"value_range": _PIXELS, **_PLACED}

AUGMENTATIONS: Final[dict[str, Recipe]] = {
    "Resizing": Recipe(
        kl.Resizing,
        {
            **_SIDES,
            "interpolation": Argument(
                choice("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"), "bilinear"
            ),
            "crop_to_aspect_ratio": FLAG,
            "pad_to_aspect_ratio": FLAG,
            "fill_mode": Argument(choice("constant"), "constant"),
            "fill_value": Argument(number(), 0.0),
            "antialias": FLAG,
            "bounding_box_format": NEVER,
        },
    ),
    "CenterCrop": Recipe(kl.CenterCrop, {**_SIDES, "bounding_box_format": NEVER}),
    "RandomCrop": Recipe(kl.RandomCrop, {**_SIDES, **_RANDOM}),
    "RandomFlip": Recipe(
        kl.RandomFlip,
        {
            "mode": Argument(
                choice("horizontal", "vertical", "horizontal_and_vertical"), "horizontal_and_vertical"
            ),
            **_PLACED,
        },
    ),
    "RandomRotation": Recipe(kl.RandomRotation, {"factor": required(_FACTOR), **_FILL, **_PLACED}),
    "RandomZoom": Recipe(
        kl.RandomZoom,
        {
            "height_factor": required(_FACTOR),
            "width_factor": Argument(optional(_FACTOR)),
            **_FILL,
            **_PLACED,
        },
    ),
    "RandomTranslation": Recipe(
        kl.RandomTranslation,
        {"height_factor": required(_FACTOR), "width_factor": required(_FACTOR), **_FILL, **_PLACED},
    ),
    "RandomShear": Recipe(
        kl.RandomShear,
        {"x_factor": Argument(_FACTOR, 0.0), "y_factor": Argument(_FACTOR, 0.0), **_FILL, **_PLACED},
    ),
    "RandomContrast": Recipe(
        kl.RandomContrast, {"factor": required(_FACTOR), "value_range": _PIXELS, **_PLACED}
    ),
    "RandomBrightness": Recipe(
        kl.RandomBrightness, {"factor": required(_FACTOR), "value_range": _PIXELS, **_PLACED}
    ),
    **{
        name: Recipe(getattr(kl, name), {"factor": required(_FACTOR), **_COLOUR})
        for name in ("RandomHue", "RandomSaturation", "RandomSharpness", "RandomColorDegeneration")
    },
    "RandomPosterization": Recipe(kl.RandomPosterization, {"factor": required(integer(0, 8)), **_COLOUR}),
    "AutoContrast": Recipe(kl.AutoContrast, {"value_range": _PIXELS, "bounding_box_format": NEVER}),
    "Solarization": Recipe(
        kl.Solarization,
        {
            "addition_factor": Argument(_FACTOR, 0.0),
            "threshold_factor": Argument(_FACTOR, 0.0),
            "value_range": _PIXELS,
            "seed": SEED,
        },
    ),
    "RandomErasing": Recipe(
        kl.RandomErasing,
        {
            "factor": Argument(_FACTOR, 1.0),
            "scale": Argument(_FACTOR, [0.02, 0.33]),
            "fill_value": Argument(optional(number())),
            **_COLOUR,
        },
    ),
    "RandomGaussianBlur": Recipe(
        kl.RandomGaussianBlur,
        {
            "factor": Argument(_FACTOR, 1.0),
            "kernel_size": Argument(sizes(2, 1, 64), 3),
            "sigma": Argument(_FACTOR, 1.0),
            **_COLOUR,
        },
    ),
    "RandomPerspective": Recipe(
        kl.RandomPerspective,
        {
            "factor": Argument(_FACTOR, 1.0),
            "scale": Argument(RATE, 1.0),
            "interpolation": Argument(choice("nearest", "bilinear"), "bilinear"),
            "fill_value": Argument(number(), 0.0),
            **_PLACED,
        },
    ),
    "RandomElasticTransform": Recipe(
        kl.RandomElasticTransform,
        {"factor": Argument(_FACTOR, 1.0), "scale": Argument(_FACTOR, 1.0), **_FILL, **_COLOUR},
    ),
    "ContrastLimitedAdaptiveHistogramEqualization": Recipe(
        kl.ContrastLimitedAdaptiveHistogramEqualization,
        {
            "value_range": _PIXELS,
            "clip_limit": Argument(number(0), 4.0),
            "tile_grid_size": Argument(listed(integer(1, 64), 2, 2), [8, 8]),
            "data_format": DATA_FORMAT,
        },
    ),
    "RandomGrayscale": Recipe(kl.RandomGrayscale, {"factor": Argument(RATE, 0.5), **_PLACED}),
    "RandomInvert": Recipe(kl.RandomInvert, {"factor": Argument(_FACTOR, 1.0), **_COLOUR}),
}

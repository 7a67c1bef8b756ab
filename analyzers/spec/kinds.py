"""Tables that sort layers by what they do, under today's Keras class names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analyzers.spec.model import Json, LayerSpec

CONVOLUTIONS: Final = frozenset(
    {f"{kind}{rank}D" for kind in ("Conv",) for rank in (1, 2, 3)}
    | {f"Conv{rank}DTranspose" for rank in (1, 2, 3)}
    | {f"{kind}{rank}D" for kind in ("DepthwiseConv", "SeparableConv") for rank in (1, 2)}
)
RECURRENT: Final = frozenset(
    {"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
)
ATTENTION: Final = frozenset(
    {"Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"}
)  # fmt: skip
WEIGHTED: Final = CONVOLUTIONS | RECURRENT | ATTENTION | {"Dense", "EinsumDense", "Embedding"}
"""Layers with a kernel that is learnt; normalisations are not among them."""

NORMALIZATIONS: Final = frozenset(
    {"BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization", "RMSNormalization",
     "InstanceNormalization"}
)  # fmt: skip
"""Layers that bring activations to a fixed scale from the data they see."""

SCALING: Final = frozenset({"Rescaling", "Normalization"})
"""Layers that apply a fixed affine map to the input."""

AUGMENTATIONS: Final = frozenset(
    {"RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness",
     "RandomCrop", "RandomHeight", "RandomWidth", "RandomShear", "RandomHue", "RandomSaturation",
     "RandomColorJitter", "RandomColorDegeneration", "RandomGrayscale", "RandomInvert", "RandomPosterization",
     "RandomSharpness", "RandomGaussianBlur", "RandomElasticTransform", "RandomErasing", "RandomPerspective",
     "RandAugment", "AugMix", "AutoContrast", "CutMix", "MixUp", "Equalization", "Solarization",
     "ContrastLimitedAdaptiveHistogramEqualization"}
)  # fmt: skip
"""Random or photometric changes of images, at work in training only or on the pixels only."""

GEOMETRY: Final = frozenset({"Resizing", "CenterCrop"})
PREPROCESSING: Final = SCALING | AUGMENTATIONS | GEOMETRY
DROPOUTS: Final = frozenset(
    {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout", "GaussianDropout"}
)
POOLING: Final = frozenset(
    {f"{scope}{how}Pooling{rank}D" for scope in ("", "Global") for how in ("Max", "Average") for rank in (1, 2, 3)}
)  # fmt: skip
GLOBAL_POOLING: Final = frozenset(kind for kind in POOLING if kind.startswith("Global"))
MERGES: Final = frozenset(
    {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"}
)
RESHAPES: Final = frozenset({"Flatten", "Reshape", "Permute", "RepeatVector", "ZeroPadding1D", "ZeroPadding2D",
                             "ZeroPadding3D", "Cropping1D", "Cropping2D", "Cropping3D"})  # fmt: skip

ACTIVATION_LAYERS: Final[dict[str, str]] = {
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "Softmax": "softmax",
    "Gelu": "gelu",
    "Celu": "celu",
}
"""Layers and operations that are an activation; ``Activation`` carries its own in ``config["activation"]``."""

LEGACY_ACTIVATIONS: Final[dict[str, str]] = {"legacy_hard_sigmoid": "hard_sigmoid"}
"""Activations that Keras 3 computes otherwise (the hard sigmoid's slope was 0.2, not 1/6) -> today's name."""

RELU_LIKE: Final = frozenset({"relu", "relu6"})
"""Activations whose units can die: exactly zero, with zero gradient, for every negative input."""

SATURATING: Final = frozenset({"sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softsign"})


def _name_of(kind: str, config: Mapping[str, Json]) -> str:
    """The activation that a layer of that kind is, or an activation given as an object."""
    if kind == "ReLU" and config.get("negative_slope"):
        return "leaky_relu"
    if kind == "ReLU" and config.get("max_value") is not None:
        return "relu6"
    return ACTIVATION_LAYERS.get(kind, kind.lower())


def activation_name(layer: LayerSpec) -> str | None:
    """The activation that a layer ends in, in lower case (``"relu"``, ``"softmax"``, ``"linear"``).

    None for a layer that applies none (Add, Flatten, Conv2D without the key ...: a Conv2D always has
    the key in a spec, so it answers ``"linear"``).  ``ReLU(max_value=6)`` answers ``"relu6"``,
    ``ReLU(negative_slope>0)`` ``"leaky_relu"``, the hard sigmoid of Keras 1 and 2 ``"hard_sigmoid"``.
    """
    if layer.kind in ACTIVATION_LAYERS:
        return _name_of(layer.kind, layer.config)
    if "activation" not in layer.config:
        return None
    activation = layer.config["activation"]
    if isinstance(activation, dict):
        config = activation.get("config")
        return _name_of(str(activation.get("kind", "")), config if isinstance(config, dict) else {})
    return "linear" if activation is None else LEGACY_ACTIVATIONS.get(str(activation), str(activation))

"""One model of every family of ``keras.applications``, with weights that let a signal through."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tests.reading.generated.comparing import disturb

APPLICATIONS: Final[tuple[str, ...]] = (
    "VGG16", "VGG19", "ResNet50", "ResNet50V2", "ResNetRS50", "Xception", "InceptionV3", "InceptionResNetV2",
    "MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "DenseNet121", "NASNetMobile",
    "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny", "RegNetX002", "RegNetY002",
)  # fmt: skip
"""The smallest of each family; RegNet and ResNetRS are tf_keras's alone."""


def has(keras: Any, name: str) -> bool:
    """Whether a framework has that application."""
    return _constructor(keras, name) is not None


def _constructor(keras: Any, name: str) -> Any:
    modules = (keras.applications, *(getattr(keras.applications, module, None) for module in _MODULES))
    return next((getattr(module, name) for module in modules if hasattr(module, name)), None)


_USUAL: Final = 224
_MODULES: Final = ("regnet", "resnet_rs")


def application(keras: Any, name: str, *, size: int | None = None) -> Any:
    """An application without a final activation, its batch statistics those of some noise.

    Args:
        keras: tf_keras or Keras 3.
        name: of the constructor.
        size: height and width; the native one by default.
    """
    shape: dict[str, Any] = {} if size is None else {"input_shape": (size, size, 3), "classes": 10}
    model = _constructor(keras, name)(weights=None, classifier_activation=None, **shape)
    disturb(model)
    normalizing = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    momenta = [layer.momentum for layer in normalizing]
    for layer in normalizing:
        layer.momentum = 0.0
    sides = [side or _USUAL for side in model.input_shape[1:3]]  # MobileNetV3 leaves them open
    pixels = any(type(layer).__name__ == "Rescaling" for layer in model.layers)
    images = (
        np.random.default_rng(1).uniform(*((0, 255) if pixels else (-1, 1)), (4, *sides, 3)).astype("float32")
    )
    if normalizing:
        model(images, training=True)
    for layer, momentum in zip(normalizing, momenta, strict=True):
        layer.momentum = momentum
    return model

"""Healthy models: none of them may get a bad verdict or a confirmed error.

The applications are built untrained at their native size with 1000 classes; the optimizer is that of
the model's paper where its rate belongs to a batch that a single machine trains with, else Adam 1e-4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.zoo.cases.case import HEALTHY, Expectation, Framework, Model, Scale


@dataclass(frozen=True)
class HealthyModel:
    """A model that can learn.

    Attributes:
        name: the zoo's name of its file.
        family: models of one family share their building block.
        optimizer: words for tables.
        build: makes the compiled, untrained model.
        expectation: what the report must say.
    """

    name: str
    family: str
    optimizer: str
    build: Callable[[Framework, Scale], Model]
    expectation: Expectation = HEALTHY


def _application(name: str, family: str, optimizer: str, make: Callable[[Framework], Any]) -> HealthyModel:
    def build(k: Framework, scale: Scale) -> Model:
        del scale  # one size only
        model = getattr(k.applications, name)(weights=None, classes=1000)
        model.compile(optimizer=make(k), loss="categorical_crossentropy", metrics=["accuracy"])
        return model

    return HealthyModel(name=name.lower(), family=family, optimizer=optimizer, build=build)


def _adam(k: Framework) -> Any:
    return k.optimizers.Adam(1e-4)


def _sgd(rate: float, decay: float) -> Callable[[Framework], Any]:
    return lambda k: k.optimizers.SGD(rate, momentum=0.9, weight_decay=decay)


APPLICATIONS: Final[dict[str, HealthyModel]] = {
    model.name: model
    for model in (
        _application("VGG16", "VGG", "Adam 1e-4", _adam),
        _application(
            "ResNet50", "ResNet", "SGD 0.1, momentum 0.9, weight decay 1e-4 (He 2015)", _sgd(0.1, 1e-4)
        ),
        _application(
            "DenseNet121",
            "DenseNet",
            "SGD 0.1, momentum 0.9, weight decay 1e-4 (Huang 2017)",
            _sgd(0.1, 1e-4),
        ),
        _application("MobileNetV2", "MobileNet", "Adam 1e-4", _adam),
        _application("MobileNetV3Small", "MobileNet", "Adam 1e-4", _adam),
        _application("InceptionV3", "Inception", "Adam 1e-4", _adam),
        _application("Xception", "Xception", "Adam 1e-4", _adam),
        _application("EfficientNetB0", "EfficientNet", "Adam 1e-4", _adam),
        _application("NASNetMobile", "NASNet", "Adam 1e-4", _adam),
        _application("ConvNeXtTiny", "ConvNeXt", "Adam 1e-4", _adam),
    )
}
"""File name -> application; ten models of nine families."""


def _compiled(
    k: Framework, inputs: Any, outputs: Any, optimizer: Any, loss: str = "sparse_categorical_crossentropy"
) -> Model:
    model = k.Model(inputs, outputs)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return model


def _small_convolutional(k: Framework, scale: Scale) -> Model:
    """Rescaling, three convolutions, a dense head."""
    del scale
    inputs = k.Input(shape=(32, 32, 3))
    x = k.layers.Rescaling(1.0 / 255)(inputs)
    for filters in (16, 32, 64):
        x = k.layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
        x = k.layers.MaxPooling2D()(x)
    x = k.layers.Flatten()(x)
    x = k.layers.Dense(64, activation="relu")(x)
    x = k.layers.Dropout(0.3)(x)
    outputs = k.layers.Dense(10, activation="softmax")(x)
    return _compiled(k, inputs, outputs, k.optimizers.Adam(1e-3))


def _small_normalized(k: Framework, scale: Scale) -> Model:
    """BatchNormalization in every block, global pooling, SGD with momentum."""
    del scale
    inputs = k.Input(shape=(32, 32, 3))
    x = inputs
    for filters in (16, 32, 64):
        x = k.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = k.layers.BatchNormalization()(x)
        x = k.layers.Activation("relu")(x)
        x = k.layers.MaxPooling2D()(x)
    x = k.layers.GlobalAveragePooling2D()(x)
    outputs = k.layers.Dense(10, activation="softmax")(x)
    return _compiled(k, inputs, outputs, k.optimizers.SGD(0.05, momentum=0.9))


def _small_residual(k: Framework, scale: Scale) -> Model:
    """Pre-activated residual blocks behind a scaled input."""
    del scale
    inputs = k.Input(shape=(32, 32, 3))
    x = k.layers.Rescaling(1.0 / 127.5, offset=-1.0)(inputs)
    x = k.layers.Conv2D(16, 3, padding="same")(x)
    for _ in range(3):
        y = k.layers.BatchNormalization()(x)
        y = k.layers.Activation("relu")(y)
        y = k.layers.Conv2D(16, 3, padding="same")(y)
        x = k.layers.Add()([x, y])
    x = k.layers.GlobalAveragePooling2D()(x)
    outputs = k.layers.Dense(10, activation="softmax")(x)
    return _compiled(k, inputs, outputs, k.optimizers.Adam(3e-3))


def _small_logits(k: Framework, scale: Scale) -> Model:
    """An unscaled input (scaled outside the file), logits, label smoothing in the loss."""
    del scale
    model = k.Sequential(
        [
            k.Input(shape=(28, 28, 1)),
            k.layers.Conv2D(16, 3, activation="relu"),
            k.layers.MaxPooling2D(),
            k.layers.Conv2D(32, 3, activation="relu"),
            k.layers.MaxPooling2D(),
            k.layers.Flatten(),
            k.layers.Dense(10),
        ]
    )
    loss = k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    model.compile(optimizer=k.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    return model


def _small_perceptron(k: Framework, scale: Scale) -> Model:
    """Flattened digits through two dense layers, RMSprop."""
    del scale
    model = k.Sequential(
        [
            k.Input(shape=(28, 28, 1)),
            k.layers.Rescaling(1.0 / 255),
            k.layers.Flatten(),
            k.layers.Dense(128, activation="relu"),
            k.layers.Dense(64, activation="relu"),
            k.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=k.optimizers.RMSprop(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def _small_binary(k: Framework, scale: Scale) -> Model:
    """Two classes on one sigmoid unit."""
    del scale
    inputs = k.Input(shape=(32, 32, 3))
    x = k.layers.Rescaling(1.0 / 255)(inputs)
    for filters in (16, 32):
        x = k.layers.SeparableConv2D(filters, 3, activation="relu", padding="same")(x)
        x = k.layers.MaxPooling2D()(x)
    x = k.layers.Flatten()(x)
    outputs = k.layers.Dense(1, activation="sigmoid")(x)
    return _compiled(k, inputs, outputs, k.optimizers.Adam(1e-3), loss="binary_crossentropy")


SMALL: Final[dict[str, HealthyModel]] = {
    name: HealthyModel(name=name, family="small", optimizer=optimizer, build=build)
    for name, optimizer, build in (
        ("healthy-convolutional", "Adam 1e-3", _small_convolutional),
        ("healthy-normalized", "SGD 0.05, momentum 0.9", _small_normalized),
        ("healthy-residual", "Adam 3e-3", _small_residual),
        ("healthy-logits", "Adam 1e-3", _small_logits),
        ("healthy-perceptron", "RMSprop 1e-3", _small_perceptron),
        ("healthy-binary", "Adam 1e-3", _small_binary),
    )
}
"""File name -> small model; cheap enough to be probed in tests."""

HEALTHY_MODELS: Final[dict[str, HealthyModel]] = APPLICATIONS | SMALL
"""Every healthy model by file name."""

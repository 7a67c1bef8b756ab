"""C1: augmentation and Rescaling are built, but every layer takes ``inputs`` where it should take ``x``."""

from __future__ import annotations

from dataclasses import dataclass

from tests.zoo.cases import vgg
from tests.zoo.cases.case import HEALTHY, Case, Expectation, Framework, Model, Scale


@dataclass(frozen=True)
class _Size:
    image: int
    widths: tuple[tuple[int, ...], ...]
    units: int
    classes: int


_VGG16 = ((32, 32), (64, 64), (96,) * 3, (128,) * 3, (128,) * 3)
_VGG19 = ((32, 32), (64, 64), (96,) * 4, (128,) * 4, (128,) * 4)
_SIZES: dict[Scale, _Size] = {
    "full": _Size(image=224, widths=_VGG16, units=4096, classes=160),
    "small": _Size(image=32, widths=_VGG19, units=1024, classes=20),
}
CLASSES: dict[Scale, int] = {scale: size.classes for scale, size in _SIZES.items()}


def _augmentation(k: Framework) -> Model:
    layers = [
        k.layers.RandomFlip("horizontal"),
        k.layers.RandomRotation(0.1),
        k.layers.RandomZoom(0.1),
        k.layers.RandomContrast(0.1),
        k.layers.RandomTranslation(0.1, 0.1),
    ]
    if hasattr(k.layers, "RandomHeight"):  # Keras 2 only
        layers += [k.layers.RandomHeight(0.1), k.layers.RandomWidth(0.1)]
    return k.Sequential(layers)


def _compile(k: Framework, model: Model, loss: object = "") -> Model:
    model.compile(
        optimizer=k.optimizers.Adam(1e-3),
        loss=loss or "sparse_categorical_crossentropy",
        metrics=None if loss else ["accuracy"],
    )
    return model


def discarded(k: Framework, scale: Scale) -> Model:
    """The source's own code: both results are thrown away, so neither layer is in the file."""
    size = _SIZES[scale]
    data_augmentation = _augmentation(k)
    inputs = k.Input(shape=(size.image, size.image, 3))
    x = data_augmentation(inputs)
    x = k.layers.Rescaling(1.0 / 255)(inputs)
    x = vgg.blocks(k, inputs, size.widths, vgg.relu_convolution(k))
    outputs = vgg.dense_head(k, x, size.units, size.classes)
    return _compile(k, k.Model(inputs, outputs))


def second_output(k: Framework, scale: Scale) -> Model:
    """The preprocessing is in the file, on a branch that reaches only a second output."""
    size = _SIZES[scale]
    inputs = k.Input(shape=(size.image, size.image, 3))
    x = k.layers.RandomFlip("horizontal")(inputs)
    preview = k.layers.Rescaling(1.0 / 255, name="preview")(x)
    x = vgg.blocks(k, inputs, size.widths, vgg.relu_convolution(k))
    x = k.layers.Flatten()(x)
    x = k.layers.Dense(size.units, activation="relu")(x)
    x = k.layers.Dropout(0.5)(x)
    outputs = k.layers.Dense(size.classes, activation="softmax", name="predictions")(x)
    model = k.Model(inputs, [outputs, preview])
    return _compile(k, model, loss=["sparse_categorical_crossentropy", None])


def joined_late(k: Framework, scale: Scale) -> Model:
    """The preprocessing is in the file and joins the network behind the first convolution."""
    size = _SIZES[scale]
    inputs = k.Input(shape=(size.image, size.image, 3))
    x = k.layers.RandomFlip("horizontal")(inputs)
    scaled = k.layers.Rescaling(1.0 / 255)(x)
    convolution = vgg.relu_convolution(k)
    x = k.layers.Concatenate()([convolution(inputs, size.widths[0][0]), scaled])
    x = vgg.blocks(k, x, ((size.widths[0][1],), *size.widths[1:]), convolution)
    outputs = vgg.dense_head(k, x, size.units, size.classes)
    return _compile(k, k.Model(inputs, outputs))


def cured(k: Framework, scale: Scale) -> Model:
    """Every step takes the one before it; BatchNormalization and a lean head."""
    size = _SIZES[scale]
    inputs = k.Input(shape=(size.image, size.image, 3))
    x = k.layers.RandomFlip("horizontal")(inputs)
    x = k.layers.RandomTranslation(0.1, 0.1)(x)
    x = k.layers.Rescaling(1.0 / 255)(x)
    x = vgg.blocks(k, x, size.widths, vgg.normalized_convolution(k))
    x = k.layers.GlobalAveragePooling2D()(x)
    outputs = k.layers.Dense(size.classes, activation="softmax")(x)
    return _compile(k, k.Model(inputs, outputs))


_STUCK = frozenset(
    {
        "loss-stuck-at-chance",
        "deep-plain-network",
        "vanishing-gradient",
        "constant-output-collapse",
        "learning-rate-too-high",
        "exploding-gradient",
        "diverging-loss",
    }
)
_CURES = frozenset({"lower-learning-rate", "add-batch-normalization", "he-initialization", "leaky-relu"})


def _sick(*named: str) -> Expectation:
    return Expectation(
        verdicts=frozenset({"stuck", "diverges", "conditional"}),
        top=_STUCK | {"missing-input-normalization", "bypassed-preprocessing"},
        named=frozenset({"missing-input-normalization", *named}),
        interventions=_CURES | {"rescale-inputs", "standardize-inputs"},
    )


CASES = (
    Case(
        name="c1",
        title="bypassed preprocessing, layers not in the file",
        build=discarded,
        classes=CLASSES,
        pixels="0-255",
        expectation=_sick(),
    ),
    Case(
        name="c1-second-output",
        title="bypassed preprocessing, on a branch to a second output",
        build=second_output,
        classes=CLASSES,
        pixels="0-255",
        expectation=_sick("bypassed-preprocessing"),
    ),
    Case(
        name="c1-joined-late",
        title="bypassed preprocessing, joined behind the first convolution",
        build=joined_late,
        classes=CLASSES,
        pixels="0-255",
        expectation=_sick("bypassed-preprocessing"),
    ),
    Case(
        name="c1-cured",
        title="C1 reconnected, with BatchNormalization",
        build=cured,
        classes=CLASSES,
        pixels="0-255",
        expectation=HEALTHY,
    ),
)

"""C3: SGD with momentum at a rate of 0.1 on a plain VGG16."""

from __future__ import annotations

from dataclasses import dataclass

from tests.zoo.cases import vgg
from tests.zoo.cases.case import HEALTHY, Case, Expectation, Framework, Model, Scale


@dataclass(frozen=True)
class _Size:
    image: int
    widths: tuple[tuple[int, ...], ...]
    units: int


_SIZES: dict[Scale, _Size] = {
    "full": _Size(224, ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)), 4096),
    "small": _Size(32, ((16, 16), (32, 32), (64, 64, 64), (96, 96, 96), (96, 96, 96)), 256),
}
CLASSES: dict[Scale, int] = {"full": 10, "small": 10}


def _compile(k: Framework, model: Model, rate: float) -> Model:
    model.compile(
        optimizer=k.optimizers.SGD(rate, momentum=0.9, weight_decay=1e-4),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def sick(k: Framework, scale: Scale) -> Model:
    """The source's network; He normal is what its PyTorch original starts from."""
    size = _SIZES[scale]
    inputs = k.Input(shape=(size.image, size.image, 3))
    x = vgg.blocks(k, inputs, size.widths, vgg.relu_convolution(k, kernel_initializer="he_normal"))
    x = k.layers.Flatten()(x)
    for _ in range(2):
        x = k.layers.Dense(size.units, activation="relu", kernel_initializer="he_normal")(x)
    outputs = k.layers.Dense(10, activation="softmax")(x)
    return _compile(k, k.Model(inputs, outputs), rate=0.1)


def cured(k: Framework, scale: Scale) -> Model:
    """A tenth of the rate, BatchNormalization, and Dropout in the dense layers."""
    size = _SIZES[scale]
    inputs = k.Input(shape=(size.image, size.image, 3))
    convolution = vgg.normalized_convolution(k, kernel_initializer="he_normal")
    x = vgg.blocks(k, inputs, size.widths, convolution)
    x = k.layers.GlobalAveragePooling2D()(x)
    x = k.layers.Dropout(0.5)(x)
    outputs = k.layers.Dense(10, activation="softmax")(x)
    return _compile(k, k.Model(inputs, outputs), rate=0.01)


CASES = (
    Case(
        name="c3",
        title="learning rate too high for a plain VGG16",
        build=sick,
        classes=CLASSES,
        pixels="-1-1",
        expectation=Expectation(
            verdicts=frozenset({"stuck", "diverges"}),
            top=frozenset(
                {"learning-rate-too-high", "loss-stuck-at-chance", "diverging-loss", "exploding-gradient"}
            ),
            named=frozenset({"learning-rate-too-high"}),
            interventions=frozenset({"lower-learning-rate", "add-batch-normalization"}),
        ),
    ),
    Case(
        name="c3-cured",
        title="C3 at a rate of 0.01, with BatchNormalization",
        build=cured,
        classes=CLASSES,
        pixels="-1-1",
        expectation=HEALTHY,
    ),
)

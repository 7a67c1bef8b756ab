"""C2: ImageNet's 0-1 constants on 0-255 pixels, harsh augmentation, no BatchNormalization."""

from __future__ import annotations

from tests.zoo.cases import vgg
from tests.zoo.cases.case import HEALTHY, Case, Expectation, Framework, Model, Scale, Training

CLASSES: dict[Scale, int] = {"full": 10, "small": 10}

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CIFAR_MEAN = (125.3, 123.0, 113.9)
CIFAR_STD = (63.0, 62.1, 66.7)

_WIDTHS: dict[Scale, tuple[tuple[int, ...], ...]] = {
    "full": ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
    "small": ((32, 32), (64, 64), (96, 96, 96), (128, 128, 128), (128, 128, 128)),
}
_UNITS: dict[Scale, int] = {"full": 512, "small": 256}


def _original_initializer(k: Framework) -> object:
    """What the source's PyTorch layers start from: uniform, a sixth of He's variance."""
    return k.initializers.VarianceScaling(scale=1 / 3, mode="fan_in", distribution="uniform")


def _compile(k: Framework, model: Model) -> Model:
    model.compile(
        optimizer=k.optimizers.SGD(0.01, momentum=0.9, weight_decay=5e-4),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def sick(k: Framework, scale: Scale) -> Model:
    """The constants of another scale, a standard deviation given as the variance."""
    inputs = k.Input(shape=(32, 32, 3))
    x = k.layers.RandomFlip("horizontal_and_vertical")(inputs)
    x = k.layers.RandomBrightness(0.5)(x)
    x = k.layers.RandomRotation(30 / 360)(x)
    x = k.layers.Normalization(mean=IMAGENET_MEAN, variance=IMAGENET_STD)(x)

    def convolution(x: vgg.Tensor, filters: int) -> vgg.Tensor:
        start = _original_initializer(k)  # one for each layer: an instance repeats its values
        return k.layers.Conv2D(filters, 3, activation="relu", padding="same", kernel_initializer=start)(x)

    x = vgg.blocks(k, x, _WIDTHS[scale], convolution)
    return _compile(k, k.Model(inputs, vgg.dense_head(k, x, _UNITS[scale], 10)))


def cured(k: Framework, scale: Scale) -> Model:
    """CIFAR-10's own constants, mild augmentation, BatchNormalization."""
    inputs = k.Input(shape=(32, 32, 3))
    x = k.layers.RandomFlip("horizontal")(inputs)
    variance = tuple(std**2 for std in CIFAR_STD)
    x = k.layers.Normalization(mean=CIFAR_MEAN, variance=variance)(x)
    x = vgg.blocks(k, x, _WIDTHS[scale], vgg.normalized_convolution(k))
    x = k.layers.GlobalAveragePooling2D()(x)
    outputs = k.layers.Dense(10, activation="softmax")(x)
    return _compile(k, k.Model(inputs, outputs))


_SICK = Expectation(
    verdicts=frozenset({"stuck", "diverges"}),
    top=frozenset(
        {
            "normalization-constants-mismatch",
            "loss-stuck-at-chance",
            "vanishing-gradient",
            "exploding-gradient",
            "diverging-loss",
            "constant-output-collapse",
            "deep-plain-network",
        }
    ),
    named=frozenset({"normalization-constants-mismatch"}),
    interventions=frozenset(
        {"add-batch-normalization", "rescale-inputs", "standardize-inputs", "he-initialization", "leaky-relu"}
    ),
)

CASES = (
    Case(
        name="c2",
        title="wrong normalisation constants, vanishing gradients",
        build=sick,
        classes=CLASSES,
        pixels="0-255",
        expectation=_SICK,
    ),
    Case(
        name="c2-trained",
        title="C2 after its stuck training",
        build=sick,
        classes=CLASSES,
        pixels="0-255",
        expectation=_SICK,
        training=Training(steps={"full": 100, "small": 120}, batch={"full": 32, "small": 32}),
    ),
    Case(
        name="c2-cured",
        title="C2 with CIFAR-10's constants and BatchNormalization",
        build=cured,
        classes=CLASSES,
        pixels="0-255",
        expectation=HEALTHY,
    ),
)

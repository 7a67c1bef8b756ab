"""C5: a plain VGG16 at half width whose output becomes one constant row: dead ReLU units."""

from __future__ import annotations

from dataclasses import dataclass

from tests.zoo.cases import vgg
from tests.zoo.cases.case import HEALTHY, Case, Expectation, Framework, Model, Scale, Training


@dataclass(frozen=True)
class _Size:
    image: int
    widths: tuple[tuple[int, ...], ...]
    units: int


_SIZES: dict[Scale, _Size] = {
    "full": _Size(224, ((32, 32), (64, 64), (128,) * 3, (256,) * 3, (256,) * 3), 4096),
    "small": _Size(32, ((32, 32), (64, 64), (128,) * 4, (128,) * 4, (128,) * 4), 1024),
}
CLASSES: dict[Scale, int] = {"full": 5, "small": 5}
_BATCH = 30


def _compile(k: Framework, model: Model, rate: float) -> Model:
    model.compile(optimizer=k.optimizers.Adam(rate), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def sick(k: Framework, scale: Scale) -> Model:
    """The source's network, its batch of 30 baked into the input."""
    size = _SIZES[scale]
    inputs = k.Input(shape=(size.image, size.image, 3), batch_size=_BATCH)
    x = vgg.blocks(k, inputs, size.widths, vgg.relu_convolution(k))
    return _compile(k, k.Model(inputs, vgg.dense_head(k, x, size.units, 5)), rate=1e-3)


def cured(k: Framework, scale: Scale) -> Model:
    """Images brought to [-1, 1] in the graph, LeakyReLU with He weights, a tenth of the rate."""
    size = _SIZES[scale]
    inputs = k.Input(shape=(size.image, size.image, 3))
    x = k.layers.Rescaling(1.0 / 127.5, offset=-1.0)(inputs)

    def convolution(x: vgg.Tensor, filters: int) -> vgg.Tensor:
        x = k.layers.Conv2D(filters, (3, 3), padding="same", kernel_initializer="he_normal")(x)
        return k.layers.LeakyReLU()(x)

    x = vgg.blocks(k, x, size.widths, convolution)
    x = k.layers.Flatten()(x)
    for _ in range(2):
        x = k.layers.Dense(size.units // 8, kernel_initializer="he_normal")(x)
        x = k.layers.LeakyReLU()(x)
        x = k.layers.Dropout(0.5)(x)
    return _compile(k, k.Model(inputs, k.layers.Dense(5, activation="softmax")(x)), rate=1e-4)


def _sick(*top: str) -> Expectation:
    return Expectation(
        verdicts=frozenset({"stuck", "diverges"}),
        top=frozenset(
            {
                "loss-stuck-at-chance",
                "deep-plain-network",
                "vanishing-gradient",
                "constant-output-collapse",
                "learning-rate-too-high",
                "diverging-loss",
                *top,
            }
        ),
        named=frozenset({"missing-input-normalization", "fixed-batch-size", "oversized-dense-head"}),
        interventions=frozenset(
            {"add-batch-normalization", "leaky-relu", "he-initialization", "lower-learning-rate"}
        ),
    )


CASES = (
    Case(
        name="c5",
        title="constant output, dead ReLU (untrained)",
        build=sick,
        classes=CLASSES,
        pixels="-0.5-0.5",
        expectation=_sick(),
    ),
    Case(
        name="c5-trained",
        title="C5 after its stuck training",
        build=sick,
        classes=CLASSES,
        pixels="-0.5-0.5",
        expectation=_sick("constant-output", "dead-relu-units"),
        training=Training(steps={"full": 30, "small": 120}, batch={"full": 8, "small": 16}),
    ),
    Case(
        name="c5-cured",
        title="C5 on [-1, 1] with LeakyReLU, He weights and Adam 1e-4",
        build=cured,
        classes=CLASSES,
        pixels="0-255",
        expectation=HEALTHY,
    ),
)

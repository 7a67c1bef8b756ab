"""C4: a network that learns, and whose validation loss swings: lagging BatchNormalization, a huge head."""

from __future__ import annotations

from tests.zoo.cases.case import HEALTHY, Case, Expectation, Framework, Model, Scale, Training

CLASSES: dict[Scale, int] = {"full": 3, "small": 3}
_IMAGE: dict[Scale, int] = {"full": 224, "small": 96}


def _compile(k: Framework, model: Model) -> Model:
    model.compile(optimizer=k.optimizers.SGD(0.004), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def volatile(k: Framework, scale: Scale) -> Model:
    """The source's network."""
    layers = k.layers
    model = k.Sequential([k.Input(shape=(_IMAGE[scale], _IMAGE[scale], 3))])
    for filters, kernel in ((16, 11), (32, 5), (32, 3)):
        model.add(layers.Conv2D(filters, kernel))
        model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D(3, strides=2))
        model.add(layers.BatchNormalization())
    model.add(layers.Flatten())
    for units in (512, 256):
        model.add(layers.Dense(units))
        model.add(layers.Activation("relu"))
        model.add(layers.BatchNormalization())
        model.add(layers.Dropout(0.3))
    model.add(layers.Dense(3, activation="softmax"))
    return _compile(k, model)


def cured(k: Framework, scale: Scale) -> Model:
    """Normalised before the activation with a quicker momentum, pooled globally, a tenth of the units."""
    layers = k.layers
    model = k.Sequential([k.Input(shape=(_IMAGE[scale], _IMAGE[scale], 3))])
    model.add(layers.Rescaling(1.0 / 127.5, offset=-1.0))
    for filters, kernel in ((16, 11), (32, 5), (32, 3)):
        model.add(layers.Conv2D(filters, kernel, use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D(3, strides=2))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(32, activation="relu"))
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(optimizer=k.optimizers.Adam(1e-3), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


_RISKS = frozenset(
    {"batch-normalization-after-activation", "oversized-dense-head", "batch-normalization-lag"}
)
_CAN_LEARN = Expectation(verdicts=frozenset({"converges", "conditional"}), named=_RISKS, level_error=False)

CASES = (
    Case(
        name="c4",
        title="volatile validation loss; the network can learn",
        build=volatile,
        classes=CLASSES,
        pixels="0-255",
        expectation=_CAN_LEARN,
    ),
    Case(
        name="c4-trained",
        title="C4 after two of the source's epochs",
        build=volatile,
        classes=CLASSES,
        pixels="0-255",
        expectation=_CAN_LEARN,
        training=Training(steps={"full": 42, "small": 42}, batch={"full": 16, "small": 32}),
    ),
    Case(
        name="c4-cured",
        title="C4 with a small head and quicker BatchNormalization",
        build=cured,
        classes=CLASSES,
        pixels="0-255",
        expectation=HEALTHY,
    ),
)

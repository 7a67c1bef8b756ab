"""Classifiers of tables: yes or no, one of several classes, several labels at once."""

from __future__ import annotations

from typing import Any, Final

import keras
from keras import layers

from tests.zoo.tasks.task_model import (
    CROSS,
    YES_NO,
    Optimizer,
    TaskModel,
    adam,
    borderline,
    compiled,
    medium,
    sequential,
    sgd,
    strong,
)


def perceptron(
    columns: int,
    outputs: int,
    last: str | None,
    loss: Any,
    optimizer: Optimizer | None = None,
    *,
    hidden: tuple[int, ...] = (64, 32),
    activation: str | None = "relu",
    initializer: Any = "glorot_uniform",
    dropout: float = 0.0,
    penalty: float = 0.0,
    before: tuple[Any, ...] = (),
) -> keras.Model:
    """Dense layers."""
    body: list[Any] = [*before]
    for units in hidden:
        regularizer = keras.regularizers.L2(penalty) if penalty else None
        body.append(
            layers.Dense(units, activation, kernel_initializer=initializer, kernel_regularizer=regularizer)
        )
        if dropout:
            body.append(layers.Dropout(dropout))
    return compiled(sequential((columns,), *body, layers.Dense(outputs, last)), loss, optimizer)


def cancer(last: str | None = "sigmoid", loss: Any = YES_NO, *settings: Any, **more: Any) -> keras.Model:
    """Thirty columns, one output."""
    return perceptron(30, 1, last, loss, *settings, **more)


def wine(*settings: Any, **more: Any) -> keras.Model:
    """Thirteen columns, three classes."""
    return perceptron(13, 3, "softmax", CROSS, *settings, **more)


def digits(optimizer: Optimizer | None = None, last: str | None = "softmax", **more: Any) -> keras.Model:
    """Sixty-four pixels as a table, ten classes."""
    return perceptron(64, 10, last, CROSS, optimizer, **more)


def labels(last: str = "sigmoid", loss: Any = YES_NO, *settings: Any, **more: Any) -> keras.Model:
    """Sixty-four pixels as a table, four labels."""
    return perceptron(64, 4, last, loss, *settings, **more)


def self_normalizing() -> keras.Model:
    """SELU as its paper has it."""
    body: list[Any] = []
    for _ in range(4):
        body += [layers.Dense(64, "selu", kernel_initializer="lecun_normal"), layers.AlphaDropout(0.05)]
    return compiled(sequential((64,), *body, layers.Dense(10, "softmax")), CROSS, sgd(0.02, 0.9))


def normal(deviation: float) -> Any:
    """An initializer."""
    return keras.initializers.RandomNormal(0.0, deviation)


_CANCER: Final = ("table yes-no", "cancer")
_WINE: Final = ("table classes", "wine")
_DIGITS: Final = ("table classes", "digits, flat")
_LABELS: Final = ("table labels", "digits, four properties")

MODELS: Final = (
    TaskModel("yes-no-logistic", *_CANCER, lambda: cancer("sigmoid", YES_NO, sgd(0.1), hidden=())),
    TaskModel("yes-no-perceptron", *_CANCER, lambda: cancer(dropout=0.2)),
    TaskModel("yes-no-hinge", *_CANCER, lambda: cancer("tanh", "hinge")),
    TaskModel(
        "yes-no-one-unit-softmax", *_CANCER, lambda: cancer("softmax"), strong("softmax over one unit")
    ),
    TaskModel(
        "yes-no-categorical",
        *_CANCER,
        lambda: cancer("sigmoid", "categorical_crossentropy"),
        strong("categorical cross-entropy of one unit"),
    ),
    TaskModel(
        "yes-no-raw-columns",
        "table yes-no",
        "cancer, raw",
        lambda: cancer("sigmoid", YES_NO, sgd(0.1)),
        medium("columns to 4254 unscaled", in_file=False),
    ),
    TaskModel(
        "yes-no-squared",
        *_CANCER,
        lambda: cancer("sigmoid", "mse", sgd(), activation="sigmoid"),
        borderline("sigmoids and a squared error under SGD"),
    ),
    TaskModel(
        "yes-no-logits-as-probabilities",
        *_CANCER,
        lambda: cancer(None, YES_NO),
        borderline("a linear output taken for a probability"),
    ),
    TaskModel("classes-wine", *_WINE, wine),
    TaskModel(
        "classes-iris",
        "table classes",
        "iris",
        lambda: perceptron(4, 3, "softmax", CROSS, sgd(0.05, 0.9), hidden=(16,)),
    ),
    TaskModel("classes-self-normalizing", *_DIGITS, self_normalizing),
    TaskModel(
        "classes-normalized",
        *_DIGITS,
        lambda: digits(keras.optimizers.RMSprop(1e-3), before=(layers.BatchNormalization(),), dropout=0.3),
    ),
    TaskModel(
        "classes-wine-raw-columns",
        "table classes",
        "wine, raw",
        lambda: wine(sgd()),
        strong("columns to 1680 unscaled", in_file=False),
    ),
    TaskModel(
        "classes-saturating-scale",
        *_WINE,
        lambda: wine(sgd(), activation="tanh", before=(layers.Rescaling(1000.0),)),
        strong("inputs times 1000 into tanh"),
    ),
    TaskModel(
        "classes-huge-kernels",
        *_DIGITS,
        lambda: digits(sgd(), initializer=normal(10.0), hidden=(64, 64, 64)),
        strong("kernels of deviation 10"),
    ),
    TaskModel(
        "classes-tiny-kernels",
        *_DIGITS,
        lambda: digits(sgd(), initializer=normal(1e-3), hidden=(64, 64, 64)),
        strong("kernels of deviation 0.001 under SGD"),
    ),
    TaskModel(
        "classes-small-kernels",
        *_DIGITS,
        lambda: digits(adam(), initializer=normal(0.01), hidden=(64, 64, 64)),
        borderline("kernels of deviation 0.01"),
    ),
    TaskModel(
        "classes-deep-tanh",
        *_DIGITS,
        lambda: digits(sgd(), activation="tanh", initializer=normal(0.05), hidden=(32,) * 12),
        strong("twelve tanh layers of small kernels"),
    ),
    TaskModel(
        "classes-deep-relu",
        *_DIGITS,
        lambda: digits(adam(), hidden=(32,) * 12),
        borderline("twelve plain relu layers"),
    ),
    TaskModel("classes-linear", *_DIGITS, lambda: digits(activation=None), borderline("no non-linearity")),
    TaskModel("classes-penalty-1", *_DIGITS, lambda: digits(penalty=1.0), strong("an L2 penalty of 1")),
    TaskModel(
        "classes-penalty-0.03", *_DIGITS, lambda: digits(penalty=0.03), borderline("an L2 penalty of 0.03")
    ),
    TaskModel("classes-dropout-0.95", *_DIGITS, lambda: digits(dropout=0.95), strong("two dropouts of 0.95")),
    TaskModel(
        "classes-dropout-0.8", *_DIGITS, lambda: digits(dropout=0.8), borderline("two dropouts of 0.8")
    ),
    TaskModel(
        "classes-momentum",
        *_DIGITS,
        lambda: digits(sgd(0.1, 0.999)),
        medium("a momentum of 0.999 at a rate of 0.1"),
    ),
    TaskModel(
        "classes-narrow",
        *_DIGITS,
        lambda: digits(hidden=(64, 1, 64)),
        medium("one unit in the middle"),
    ),
    TaskModel(
        "classes-sigmoid-output",
        *_DIGITS,
        lambda: digits(last="sigmoid"),
        borderline("sigmoids for exclusive classes"),
    ),
    TaskModel("labels-perceptron", *_LABELS, labels),
    TaskModel("labels-deep", *_LABELS, lambda: labels("sigmoid", YES_NO, sgd(0.1, 0.9), hidden=(64, 64, 32))),
    TaskModel(
        "labels-softmax", *_LABELS, lambda: labels("softmax"), medium("a softmax over independent labels")
    ),
    TaskModel(
        "labels-rate-0.5",
        *_LABELS,
        lambda: labels("sigmoid", YES_NO, adam(0.5)),
        strong("rate 500 times too high"),
    ),
)

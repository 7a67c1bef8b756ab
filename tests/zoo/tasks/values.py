"""Regression on tables: targets of mean 0 and variance 1, as measured, and within 0-1."""

from __future__ import annotations

from typing import Any, Final

import keras
from keras import layers

from tests.zoo.tasks.task_model import (
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


def regression(
    optimizer: Optimizer | None = None,
    *,
    hidden: tuple[int, ...] = (32, 16),
    activation: str = "relu",
    last: str | None = None,
    loss: str = "mse",
    bias: Any = "zeros",
    before: tuple[Any, ...] = (),
) -> keras.Model:
    """Dense layers onto one number."""
    body = [layers.Dense(units, activation, bias_initializer=bias) for units in hidden]
    return compiled(sequential((10,), *before, *body, layers.Dense(1, last)), loss, optimizer)


_VALUES: Final = ("table values", "diabetes")
_RAW: Final = ("table values", "diabetes, raw target")
_BOUNDED: Final = ("bounded values", "diabetes, target 0-1")

MODELS: Final = (
    TaskModel("values-perceptron", *_VALUES, regression),
    TaskModel("values-linear", *_VALUES, lambda: regression(sgd(0.05), hidden=())),
    TaskModel(
        "values-absolute", *_VALUES, lambda: regression(loss="mae", before=(layers.BatchNormalization(),))
    ),
    TaskModel(
        "values-raw-target",
        *_RAW,
        lambda: regression(adam(0.01), hidden=(64, 64)),
    ),
    TaskModel(
        "values-relu-output", *_VALUES, lambda: regression(last="relu"), medium("relu for targets below 0")
    ),
    TaskModel(
        "values-sigmoid-output",
        *_RAW,
        lambda: regression(last="sigmoid"),
        strong("a sigmoid for targets of 25-346", in_file=False),
    ),
    TaskModel(
        "values-tanh-output", *_VALUES, lambda: regression(last="tanh"), borderline("tanh for targets to 2")
    ),
    TaskModel(
        "values-dead-biases",
        *_VALUES,
        lambda: regression(bias=keras.initializers.Constant(-10.0)),
        strong("biases of -10 before relu"),
    ),
    TaskModel("values-rate-1", *_VALUES, lambda: regression(sgd(1.0)), strong("rate 100 times too high")),
    TaskModel(
        "values-rate-0.2", *_VALUES, lambda: regression(sgd(0.2)), borderline("rate 20 times too high")
    ),
    TaskModel(
        "values-raw-target-sgd",
        *_RAW,
        lambda: regression(sgd(0.01)),
        medium("targets to 346 under SGD", in_file=False),
    ),
    TaskModel(
        "values-rate-1e-6", *_VALUES, lambda: regression(adam(1e-6)), strong("rate 1000 times too low")
    ),
    TaskModel("bounded-sigmoid", *_BOUNDED, lambda: regression(adam(3e-3), last="sigmoid")),
    TaskModel(
        "bounded-entropy",
        *_BOUNDED,
        lambda: regression(adam(3e-3), last="sigmoid", loss="binary_crossentropy"),
    ),
    TaskModel(
        "bounded-deep-sigmoid",
        *_BOUNDED,
        lambda: regression(sgd(), hidden=(32,) * 6, activation="sigmoid", last="sigmoid"),
        strong("seven sigmoids under SGD"),
    ),
    TaskModel(
        "bounded-rate-0.3",
        *_BOUNDED,
        lambda: regression(adam(0.3), last="sigmoid"),
        medium("rate 300 times too high"),
    ),
)

"""Series: one class for all, a label at each step, and forecasts."""

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

ROWS: Final = (8, 8)
WAVES: Final = (48, 1)
RECALL: Final = (60, 2)
LABELLED: Final = (20, 2)
SEASON: Final = (24, 1)


def classifier(
    shape: tuple[int, int], classes: int, *body: Any, optimizer: Optimizer | None = None
) -> keras.Model:
    """Layers over a series, then a softmax."""
    return compiled(sequential(shape, *body, layers.Dense(classes, "softmax")), CROSS, optimizer)


def convolutions() -> list[Any]:
    """Two 1-D convolutions and a pooling."""
    return [
        layers.Conv1D(32, 5, activation="relu"),
        layers.MaxPooling1D(),
        layers.Conv1D(32, 5, activation="relu"),
        layers.GlobalMaxPooling1D(),
    ]


def steps(*body: Any, last: str = "sigmoid", optimizer: Optimizer | None = None) -> keras.Model:
    """Layers over a series, and a decision at each step."""
    output = layers.TimeDistributed(layers.Dense(1, last))
    return compiled(sequential(LABELLED, *body, output), YES_NO, optimizer)


def forecast(
    *body: Any, optimizer: Optimizer | None = None, ahead: int = 1, last: str | None = None, loss: str = "mse"
) -> keras.Model:
    """Layers over a window, and the values that follow it."""
    return compiled(sequential(SEASON, *body, layers.Dense(ahead, last)), loss, optimizer)


_ROWS: Final = ("series classes", "digit rows")
_WAVES: Final = ("series classes", "waves")
_RECALL: Final = ("series classes", "recall")
_STEPS: Final = ("series labels", "recent sum")
_SEASON: Final = ("forecast", "season")

MODELS: Final = (
    TaskModel("series-lstm", *_ROWS, lambda: classifier(ROWS, 10, layers.LSTM(48), optimizer=adam(3e-3))),
    TaskModel("series-convolutions", *_WAVES, lambda: classifier(WAVES, 3, *convolutions())),
    TaskModel(
        "series-bidirectional-gru",
        *_ROWS,
        lambda: classifier(ROWS, 10, layers.Bidirectional(layers.GRU(32)), optimizer=adam(3e-3)),
    ),
    TaskModel(
        "series-recall-gru", *_RECALL, lambda: classifier(RECALL, 2, layers.GRU(24), optimizer=adam(0.01))
    ),
    TaskModel(
        "series-recall-simple",
        *_RECALL,
        lambda: classifier(RECALL, 2, layers.SimpleRNN(24), optimizer=sgd()),
        strong("a plain recurrent layer over 60 steps under SGD"),
    ),
    TaskModel(
        "series-exploding",
        *_WAVES,
        lambda: classifier(
            WAVES,
            3,
            layers.SimpleRNN(
                32, activation="relu", recurrent_initializer=keras.initializers.RandomNormal(0.0, 1.0)
            ),
            optimizer=sgd(),
        ),
        strong("relu recurrence of deviation 1"),
    ),
    TaskModel(
        "series-rate-1",
        *_ROWS,
        lambda: classifier(ROWS, 10, layers.LSTM(48), optimizer=adam(1.0)),
        strong("rate 1000 times too high"),
    ),
    TaskModel(
        "series-lstm-sgd",
        *_ROWS,
        lambda: classifier(ROWS, 10, layers.LSTM(48), optimizer=sgd(0.02)),
        borderline("an LSTM under plain SGD"),
    ),
    TaskModel(
        "series-deep-sigmoid",
        *_WAVES,
        lambda: classifier(
            WAVES,
            3,
            *(layers.Conv1D(16, 3, activation="sigmoid") for _ in range(6)),
            layers.GlobalAveragePooling1D(),
            optimizer=sgd(),
        ),
        strong("six sigmoid convolutions under SGD"),
    ),
    TaskModel(
        "steps-bidirectional-gru",
        *_STEPS,
        lambda: steps(layers.Bidirectional(layers.GRU(16, return_sequences=True)), optimizer=adam(5e-3)),
    ),
    TaskModel(
        "steps-causal",
        *_STEPS,
        lambda: steps(layers.Conv1D(16, 3, padding="causal", activation="relu")),
    ),
    TaskModel(
        "steps-one-unit-softmax",
        *_STEPS,
        lambda: steps(layers.LSTM(16, return_sequences=True), last="softmax"),
        strong("softmax over one unit at each step"),
    ),
    TaskModel(
        "steps-dropout-0.8",
        *_STEPS,
        lambda: steps(layers.Dropout(0.8), layers.LSTM(16, return_sequences=True), optimizer=adam(5e-3)),
        medium("0.8 of the inputs dropped"),
    ),
    TaskModel(
        "steps-rate-1e-4",
        *_STEPS,
        lambda: steps(layers.LSTM(16, return_sequences=True), optimizer=adam(1e-4)),
        borderline("rate 10 to 50 times too low"),
    ),
    TaskModel("forecast-lstm", *_SEASON, lambda: forecast(layers.LSTM(32), optimizer=adam(5e-3))),
    TaskModel(
        "forecast-window",
        *_SEASON,
        lambda: forecast(layers.Flatten(), layers.Dense(32, "relu"), loss="huber"),
    ),
    TaskModel(
        "forecast-convolutions",
        "forecast",
        "season, six steps",
        lambda: forecast(
            layers.Conv1D(16, 3, padding="causal", activation="relu"),
            layers.Conv1D(16, 3, padding="causal", dilation_rate=2, activation="relu"),
            layers.Flatten(),
            ahead=6,
        ),
    ),
    TaskModel(
        "forecast-relu-output",
        *_SEASON,
        lambda: forecast(layers.LSTM(32), optimizer=adam(5e-3), last="relu"),
        medium("relu for values below 0"),
    ),
    TaskModel(
        "forecast-rate-1",
        *_SEASON,
        lambda: forecast(layers.LSTM(32), optimizer=adam(1.0)),
        strong("rate 200 times too high"),
    ),
    TaskModel(
        "forecast-gru-sgd",
        *_SEASON,
        lambda: forecast(layers.GRU(32), optimizer=sgd(1e-3)),
        borderline("a GRU under SGD of 0.001"),
    ),
)

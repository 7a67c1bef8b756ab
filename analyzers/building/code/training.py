"""The compile call of a program."""

from __future__ import annotations

from typing import Final

import numpy as np

from analyzers.building.code.arguments import made
from analyzers.building.code.text import INDENT, MARK, literal
from analyzers.building.schedules import SCHEDULES
from analyzers.building.training import LOSSES, OPTIMIZERS
from analyzers.spec import ObjectSpec, TrainingSpec

_METRICS: Final = {
    "acc": "accuracy",
    **{
        name: name
        for name in ("accuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
                     "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy", "mse", "mae",
                     "mean_squared_error", "mean_absolute_error", "root_mean_squared_error", "cosine_similarity")
    },
}  # fmt: skip
"""Metrics that a program can name, under the names that files use -> Keras's name."""

_SETTINGS_OF_OURS: Final = frozenset({"name", "dtype", "learning_rate"})


def compile_lines(training: TrainingSpec | None, *, changed: bool) -> list[str]:
    """The lines of ``model.compile(...)``; a comment where a part is not one of Keras's."""
    if training is None:
        return []
    foreign = _foreign(training)
    if foreign is not None:
        return [f"{INDENT}# {literal(foreign)} is not part of Keras: compile the model with your own code."]
    arguments = []
    if training.optimizer is not None:
        arguments.append(f"optimizer={_optimizer(training, training.optimizer)}")
    losses = [_loss(loss) for loss in training.losses]
    if any(loss is not None for loss in training.losses):
        arguments.append(f"loss={losses[0]}" if len(losses) == 1 else f"loss=[{', '.join(losses)}]")
    if training.loss_weights is not None:
        arguments.append(f"loss_weights=[{', '.join(literal(weight) for weight in training.loss_weights)}]")
    if metrics := _metrics(training):
        arguments.append(f"metrics=[{', '.join(literal(metric) for metric in metrics)}]")
    if not arguments:
        return []
    return [
        f"{INDENT}model.compile({MARK if changed else ''}",
        *(f"{INDENT * 2}{argument}," for argument in arguments),
        f"{INDENT})",
    ]


def _foreign(training: TrainingSpec) -> str | None:
    """The name of a loss, optimizer or schedule that is in no table."""
    named = [(training.optimizer, OPTIMIZERS), (training.schedule, SCHEDULES)]
    named += [(loss, LOSSES) for loss in training.losses]
    return next((one.kind for one, table in named if one is not None and one.kind not in table), None)


def _loss(loss: ObjectSpec | None) -> str:
    if loss is None:
        return "None"
    config = {key: value for key, value in loss.config.items() if key not in _SETTINGS_OF_OURS}
    return str(made("keras.losses", loss.kind, LOSSES[loss.kind], config))


def _optimizer(training: TrainingSpec, optimizer: ObjectSpec) -> str:
    config = {key: value for key, value in optimizer.config.items() if key not in _SETTINGS_OF_OURS}
    schedule = training.schedule
    rate: tuple[str, ...] = ()
    if schedule is not None:
        text = made("keras.optimizers.schedules", schedule.kind, SCHEDULES[schedule.kind], schedule.config)
        rate = (f"learning_rate={text}",)
    elif training.learning_rate is not None:
        rate = (f"learning_rate={_short(training.learning_rate)}",)
    return str(made("keras.optimizers", optimizer.kind, OPTIMIZERS[optimizer.kind], config, *rate))


def _short(rate: float) -> str:
    """A rate with the digits that single precision holds, in which Keras keeps it: 0.1, not 0.10000000149."""
    return str(np.float32(rate)) if float(np.float32(rate)) == rate else literal(rate)


def _metrics(training: TrainingSpec) -> tuple[str, ...]:
    """Metrics of a model with one output; which output a metric is for, a spec does not say."""
    return metric_names(training) if len(training.losses) == 1 else ()


def metric_names(training: TrainingSpec) -> tuple[str, ...]:
    """The training settings' metrics that Keras knows by name."""
    return tuple(dict.fromkeys(_METRICS[name] for name in training.metrics if name in _METRICS))

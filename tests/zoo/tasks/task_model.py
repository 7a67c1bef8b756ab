"""What a model of this part of the zoo is: how to build it, its kind of task, its data and its planted fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import keras

from analyzers.options import InputRange

Optimizer: TypeAlias = keras.optimizers.Optimizer

Kind = Literal[
    "image classes", "table yes-no", "table classes", "table labels", "table values", "bounded values",
    "series classes", "series labels", "forecast", "text classes", "tokens", "reconstruction",
    "segmentation", "volumes", "several inputs", "several outputs",
]  # fmt: skip
"""Kinds of task: one class, several labels or numbers for a sample; a label for each step, token or pixel."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Strength = Literal["strong", "medium", "borderline"]
"""How bad a planted fault is meant to be: ``strong`` should keep the model from learning, ``medium`` hurt it
clearly, ``borderline`` leave it open."""

STRENGTHS: Final[tuple[Strength, ...]] = get_args(Strength)


@dataclass(frozen=True)
class Fault:
    """What was planted.

    Attributes:
        what: in a few words.
        strength: how bad it is meant to be; real training says how bad it is.
        in_file: whether the model file shows it; unscaled data are not in the file.
    """

    what: str
    strength: Strength
    in_file: bool = True


@dataclass(frozen=True)
class TaskModel:
    """One model.

    Attributes:
        name: ``lstm-digits`` ...
        kind: kind of task.
        data: name of its data in `tests.zoo.tasks.data.DATA`.
        build: makes the compiled, untrained model; its compile settings are those of the training.
        fault: what was planted, None where it is meant to be healthy.
        input_range: what its user would say of the scale of the inputs.
    """

    name: str
    kind: Kind
    data: str
    build: Callable[[], keras.Model]
    fault: Fault | None = None
    input_range: InputRange = "auto"


def strong(what: str, *, in_file: bool = True) -> Fault:
    """A fault that should keep the model from learning."""
    return Fault(what, "strong", in_file)


def medium(what: str, *, in_file: bool = True) -> Fault:
    """A fault that should hurt clearly."""
    return Fault(what, "medium", in_file)


def borderline(what: str, *, in_file: bool = True) -> Fault:
    """A fault that may or may not hurt."""
    return Fault(what, "borderline", in_file)


CROSS: Final = "sparse_categorical_crossentropy"
YES_NO: Final = "binary_crossentropy"


def adam(rate: float = 1e-3) -> keras.optimizers.Optimizer:
    """Adam, at Keras's own rate where none is given."""
    return keras.optimizers.Adam(rate)


def sgd(rate: float = 1e-2, momentum: float = 0.0) -> keras.optimizers.Optimizer:
    """Stochastic gradient descent, at Keras's own rate where none is given."""
    return keras.optimizers.SGD(rate, momentum=momentum)


def sequential(shape: tuple[int, ...], *layers: Any, dtype: str = "float32") -> keras.Model:
    """A straight model."""
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def compiled(
    model: keras.Model, loss: Any, optimizer: keras.optimizers.Optimizer | None = None, **settings: Any
) -> keras.Model:
    """The model with its settings; Adam at Keras's own rate where no optimizer is given."""
    model.compile(optimizer=optimizer or adam(), loss=loss, **settings)
    return model

"""The rates that optimizers are used with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analyzers.spec import Json, ObjectSpec, TrainingSpec


@dataclass(frozen=True)
class RateRange:
    """Rates of one optimizer.

    Attributes:
        low: below this, steps are too small for any reasonable run.
        usual: what its authors or Keras start from.
        high: above this, networks of every kind seldom train.
        deep_plain: above this, deep networks without normalisation seldom train.
    """

    low: float
    usual: float
    high: float
    deep_plain: float


RANGES: Final[Mapping[str, RateRange]] = {
    # Step lengths, rate / (1 - momentum).  Usual: Keras.  High: ResNet's 0.1 with momentum 0.9 on
    # normalised layers (He et al. 2016, section 3.4).  Deep plain: VGG's 0.01 with momentum 0.9
    # (Simonyan & Zisserman 2015, section 3.1).  Low: Bengio 2012, section 3.1.1 (1e-6 with 1e0 inputs).
    "SGD": RateRange(1e-6, 1e-2, 1.0, 0.1),
    # Kingma & Ba 2015, algorithm 1: 1e-3 (Adamax 2e-3); each step moves every weight by about the rate,
    # so 1e-2 is a fifth of a typical initial weight (0.05).  Deep plain: CASES.md, C1 (a half-width
    # VGG16 stays at chance with 1e-3 and learns with 1e-4).
    **dict.fromkeys(("Adam", "AdamW", "Nadam"), RateRange(1e-6, 1e-3, 1e-2, 5e-4)),
    "Adamax": RateRange(1e-6, 2e-3, 2e-2, 1e-3),
    # Tieleman & Hinton 2012, lecture 6e: 1e-3; steps as long as Adam's.
    "RMSprop": RateRange(1e-6, 1e-3, 1e-2, 5e-4),
    # Duchi et al. 2011 use 1e-2; the first steps are as long as the rate and shrink from there.
    "Adagrad": RateRange(1e-5, 1e-2, 0.1, 1e-2),
    # Zeiler 2012 has no rate, which is 1.0 in Keras; Keras's default of 1e-3 makes steps a thousandth of it.
    "Adadelta": RateRange(1e-2, 1.0, 2.0, 2.0),
    # McMahan et al. 2013, figure 1: per-coordinate rates around 0.01 to 0.5.
    "Ftrl": RateRange(1e-5, 1e-2, 0.5, 0.1),
    # Chen et al. 2023, section 5: three to ten times smaller than AdamW's.
    "Lion": RateRange(1e-7, 1e-4, 1e-3, 1e-4),
    # Shazeer & Stern 2018, section 9: 1e-2, relative to the scale of the weights.
    "Adafactor": RateRange(1e-6, 1e-2, 0.1, 1e-2),
    # You et al. 2020, table 1: up to 1e-2 with layerwise scaling.
    "Lamb": RateRange(1e-6, 1e-3, 0.1, 1e-2),
    # Jordan et al. 2024: 0.02 on orthogonalised updates.
    "Muon": RateRange(1e-6, 1e-2, 0.1, 2e-2),
}  # fmt: skip
"""Keras optimizer -> its rates; for SGD the rates are step lengths, momentum counted in."""


SLACK: Final = 1.01
"""Factor by which a limit must be passed, so that 0.1 / (1 - 0.9) is no more than 1."""


@dataclass(frozen=True)
class Rate:
    """The rate of a file beside the usual ones of its optimizer.

    Attributes:
        optimizer: class name, wrappers for loss scaling removed.
        rate: as configured; a schedule's peak.
        step_length: the rate, for SGD divided by (1 - momentum): how far steps of one direction go.
        range: the optimizer's usual rates, as step lengths.
        momentum: SGD's; 0 for others.
    """

    optimizer: str
    rate: float
    step_length: float
    range: RateRange
    momentum: float

    def as_rate(self, step_length: float) -> float:
        """A step length as the rate to configure."""
        return step_length * (1.0 - self.momentum)


def rate_of(training: TrainingSpec) -> Rate | str:
    """The rate that a file trains with, or in words why it cannot be judged."""
    optimizer = bare_optimizer(training.optimizer)
    if optimizer is None:
        return "the file names no optimizer; optimizer and learning_rate would settle it"
    if training.learning_rate is None:
        return "the file holds no learning rate; learning_rate would settle it"
    if optimizer.kind not in RANGES:
        return f"no usual range is known for the optimizer {optimizer.kind}"
    rate, momentum = training.learning_rate, _momentum(optimizer)
    return Rate(optimizer.kind, rate, rate / (1.0 - momentum), RANGES[optimizer.kind], momentum)


def usual_rate(optimizer: ObjectSpec | None) -> float | None:
    """The rate that an optimizer is usually run at, for SGD less with momentum; None where none is known."""
    inner = bare_optimizer(optimizer)
    if inner is None or inner.kind not in RANGES:
        return None
    return RANGES[inner.kind].usual * (1.0 - _momentum(inner))


def _momentum(optimizer: ObjectSpec) -> float:
    """SGD's momentum; 0 for others, whose steps do not add up."""
    momentum = optimizer.config.get("momentum", 0.0) if optimizer.kind == "SGD" else 0.0
    return float(momentum) if isinstance(momentum, int | float) and 0 <= momentum < 1 else 0.0


def bare_optimizer(optimizer: ObjectSpec | None) -> ObjectSpec | None:
    """The optimizer itself, out of a LossScaleOptimizer where it is in one."""
    if optimizer is None or optimizer.kind != "LossScaleOptimizer":
        return optimizer
    inner: Any = optimizer.config.get("inner_optimizer")
    if not isinstance(inner, dict):
        return optimizer
    config = inner.get("config")
    return ObjectSpec(str(inner.get("kind", "")), config if isinstance(config, dict) else {})


CLIPPINGS: Final = ("global_clipnorm", "clipnorm", "clipvalue")
"""Arguments of every Keras optimizer that bound the gradient."""


def clipping(optimizer: ObjectSpec | None) -> tuple[str, float] | None:
    """The argument that bounds an optimizer's gradients and its value; None without one."""
    inner = bare_optimizer(optimizer)
    for name in CLIPPINGS if inner is not None else ():
        value = inner.config.get(name) if inner is not None else None
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return name, float(value)
    return None


def rate_at(schedule: ObjectSpec, step: int) -> float | None:
    """The rate that a schedule gives at a step (keras.optimizers.schedules); None where it cannot be told."""
    formula = _SCHEDULES.get(schedule.kind)
    try:
        return None if formula is None else formula(schedule.config, float(step))
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None  # settings that Keras would refuse


def _positive(config: Mapping[str, Json], key: str, default: float | None = None) -> float:
    """A setting as a number.

    Raises:
        KeyError, TypeError: it is missing, or no number.
    """
    value = config[key] if default is None else config.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(key)
    return float(value)


def _progress(config: Mapping[str, Json], step: float) -> float:
    passed = step / _positive(config, "decay_steps")
    return math.floor(passed) if config.get("staircase") else passed


def _exponential(config: Mapping[str, Json], step: float) -> float:
    start, rate = _positive(config, "initial_learning_rate"), _positive(config, "decay_rate")
    return float(start * rate ** _progress(config, step))


def _inverse(config: Mapping[str, Json], step: float) -> float:
    start, rate = _positive(config, "initial_learning_rate"), _positive(config, "decay_rate")
    return start / (1 + rate * _progress(config, step))


def _polynomial(config: Mapping[str, Json], step: float) -> float:
    start, length = _positive(config, "initial_learning_rate"), _positive(config, "decay_steps")
    end, power = _positive(config, "end_learning_rate", 1e-4), _positive(config, "power", 1.0)
    if config.get("cycle"):
        length *= max(math.ceil(step / length), 1)
    return float((start - end) * (1 - min(step, length) / length) ** power + end)


def _cosine(config: Mapping[str, Json], step: float) -> float:
    start, length = _positive(config, "initial_learning_rate"), _positive(config, "decay_steps")
    warm, alpha = _positive(config, "warmup_steps", 0), _positive(config, "alpha", 0.0)
    target = config.get("warmup_target")
    if isinstance(target, int | float) and warm:
        if step < warm:
            return start + (target - start) * step / warm
        start, step = float(target), step - warm
    share = min(step / length, 1.0)
    return start * ((1 - alpha) * 0.5 * (1 + math.cos(math.pi * share)) + alpha)


def _piecewise(config: Mapping[str, Json], step: float) -> float:
    boundaries, values = config["boundaries"], config["values"]
    if not (isinstance(boundaries, Sequence) and isinstance(values, Sequence)):
        raise TypeError("boundaries")
    place = sum(isinstance(one, int | float) and step > one for one in boundaries)
    return _positive({"value": values[place]}, "value")


_SCHEDULES: Final[Mapping[str, Callable[[Mapping[str, Json], float], float]]] = {
    "ExponentialDecay": _exponential,
    "InverseTimeDecay": _inverse,
    "PolynomialDecay": _polynomial,
    "CosineDecay": _cosine,
    "PiecewiseConstantDecay": _piecewise,
}
"""Schedules that do not rise again; restarts and custom ones cannot end training."""

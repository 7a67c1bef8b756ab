"""Losses and optimizers, made from our own tables out of a file's compile settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import keras
from keras import losses, optimizers

from analyzers.building.checks import (
    AXES,
    AXIS,
    EPSILON,
    RATE,
    Argument,
    Arguments,
    RefusedError,
    choice,
    either,
    integer,
    listed,
    number,
    optional,
    shown,
)
from analyzers.building.objects import FLAG, NEVER, YES, Recipe, policy
from analyzers.building.parts import Unbuildable
from analyzers.spec import ObjectSpec

_REDUCTION: Final = Argument(
    choice("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None),
    "sum_over_batch_size",
)
_ENTROPY: Final = {
    "from_logits": FLAG,
    "label_smoothing": Argument(RATE, 0.0),
    "axis": Argument(AXIS, -1),
}
_FOCAL: Final = {**_ENTROPY, "gamma": Argument(number(0), 2.0)}
_SHARES: Final = either(number(), listed(number(), 1, 2**16))
_OVERLAP: Final = {"axis": Argument(optional(AXES))}

_LOSSES: Final[Mapping[str, Arguments]] = {
    "BinaryCrossentropy": _ENTROPY,
    "CategoricalCrossentropy": _ENTROPY,
    "SparseCategoricalCrossentropy": {
        "from_logits": FLAG,
        "ignore_class": Argument(optional(integer(-(2**31)))),
        "axis": Argument(AXIS, -1),
    },
    "BinaryFocalCrossentropy": {
        **_FOCAL,
        "apply_class_balancing": FLAG,
        "alpha": Argument(number(), 0.25),
    },
    "CategoricalFocalCrossentropy": {**_FOCAL, "alpha": Argument(_SHARES, 0.25)},
    "CategoricalGeneralizedCrossEntropy": {"q": Argument(RATE, 0.5)},
    "CosineSimilarity": {"axis": Argument(AXIS, -1)},
    "Huber": {"delta": Argument(number(0), 1.0)},
    "Circle": {
        "gamma": Argument(number(0), 80.0),
        "margin": Argument(number(), 0.4),
        "remove_diagonal": YES,
    },
    "CTC": {},
    "Dice": _OVERLAP,
    "Tversky": {**_OVERLAP, "alpha": Argument(number(), 0.5), "beta": Argument(number(), 0.5)},
    **{
        name: {}
        for name in (
            "CategoricalHinge", "Hinge", "KLDivergence", "LogCosh", "MeanAbsoluteError",
            "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson",
            "SquaredHinge",
        )
    },
}  # fmt: skip
LOSSES: Final[Mapping[str, Recipe]] = {
    kind: Recipe(getattr(losses, kind), {**arguments, "reduction": _REDUCTION, "dtype": Argument(policy)})
    for kind, arguments in _LOSSES.items()
}
"""Kind -> how to make the loss."""

_DECAY: Final = optional(number(0))
_COMMON: Final = {
    "weight_decay": Argument(_DECAY),
    "clipnorm": Argument(optional(number(0))),
    "clipvalue": Argument(optional(number(0))),
    "global_clipnorm": Argument(optional(number(0))),
    "use_ema": FLAG,
    "ema_momentum": Argument(RATE, 0.99),
    "ema_overwrite_frequency": Argument(optional(integer(1))),
    "loss_scale_factor": Argument(optional(number(0))),
    "gradient_accumulation_steps": Argument(optional(integer(2, 2**16))),
}
_EPSILON: Final = {"epsilon": Argument(EPSILON, 1e-7)}
_MOMENTS: Final = {"beta_1": Argument(RATE, 0.9), "beta_2": Argument(RATE, 0.999), **_EPSILON}
_ACCUMULATOR: Final = {"initial_accumulator_value": Argument(number(0), 0.1)}

_MUON_RATES: Final = {"adam_weight_decay": 0.004, "adam_lr_ratio": 1, "rms_rate": 0.2}
_MUON_COEFFICIENTS: Final = {"muon_a": 3.4445, "muon_b": -4.775, "muon_c": 2.0315}

_OPTIMIZERS: Final[Mapping[str, Arguments]] = {
    "SGD": {"momentum": Argument(RATE, 0.0), "nesterov": FLAG},
    "RMSprop": {"rho": Argument(RATE, 0.9), "momentum": Argument(RATE, 0.0), "centered": FLAG, **_EPSILON},
    "Adam": {**_MOMENTS, "amsgrad": FLAG},
    "AdamW": {**_MOMENTS, "amsgrad": FLAG, "weight_decay": Argument(_DECAY, 0.004)},
    "Adamax": _MOMENTS,
    "Nadam": _MOMENTS,
    "Lamb": _MOMENTS,
    "Lion": {"beta_1": Argument(RATE, 0.9), "beta_2": Argument(RATE, 0.99)},
    "Adagrad": {**_ACCUMULATOR, **_EPSILON},
    "Adadelta": {"rho": Argument(RATE, 0.95), **_EPSILON},
    "Adafactor": {
        "beta_2_decay": Argument(number(), -0.8),
        "epsilon_1": Argument(EPSILON, 1e-30),
        "epsilon_2": Argument(EPSILON, 0.001),
        "clip_threshold": Argument(number(0), 1.0),
        "relative_step": YES,
    },
    "Muon": {
        **{name: Argument(number(0), default) for name, default in _MUON_RATES.items()},
        **_EPSILON,
        **{name: Argument(number(), default) for name, default in _MUON_COEFFICIENTS.items()},
        "weight_decay": Argument(_DECAY, 0.004),
        "adam_beta_1": Argument(RATE, 0.9),
        "adam_beta_2": Argument(RATE, 0.999),
        "momentum": Argument(RATE, 0.95),
        "ns_steps": Argument(integer(1, 64), 5),
        "nesterov": YES,
        "exclude_embeddings": YES,
        "exclude_layers": NEVER,
    },
    "ScheduleFreeAdamW": {
        **_MOMENTS,
        "epsilon": Argument(EPSILON, 1e-8),
        "warmup_steps": Argument(integer(0), 0),
    },
    "Ftrl": {
        **_ACCUMULATOR,
        "learning_rate_power": Argument(number(-1e6, 0), -0.5),
        "l1_regularization_strength": Argument(number(0), 0.0),
        "l2_regularization_strength": Argument(number(0), 0.0),
        "l2_shrinkage_regularization_strength": Argument(number(0), 0.0),
        "beta": Argument(number(0), 0.0),
    },
}
OPTIMIZERS: Final[Mapping[str, Recipe]] = {
    kind: Recipe(getattr(optimizers, kind), {**_COMMON, **arguments})
    for kind, arguments in _OPTIMIZERS.items()
}
"""Kind -> how to make the optimizer."""

_HOW_IT_RUNS: Final = frozenset({"learning_rate", "name", "jit_compile", "is_legacy_optimizer"})
"""Optimizer settings that a spec may hold and that are ours to choose."""


def make_loss(spec: ObjectSpec) -> keras.losses.Loss:
    """The loss of a spec.

    Raises:
        Unbuildable: the loss is not one of Keras's, or an argument is outside its range.
    """
    config = {key: value for key, value in spec.config.items() if key != "name"}
    return _made(LOSSES, "loss", ObjectSpec(spec.kind, config))


def make_optimizer(spec: ObjectSpec, learning_rate: float) -> keras.optimizers.Optimizer:
    """The optimizer of a spec at a constant rate, whatever rate or schedule the spec names.

    Args:
        spec: the optimizer; its ``learning_rate`` is not looked at.
        learning_rate: the rate to start with; ``optimizer.learning_rate.assign`` changes it.

    Raises:
        Unbuildable: the optimizer is not one of Keras's, or an argument is outside its range.
    """
    config = {key: value for key, value in spec.config.items() if key not in _HOW_IT_RUNS}
    return _made(OPTIMIZERS, "optimizer", ObjectSpec(spec.kind, config), learning_rate=float(learning_rate))


def _made(table: Mapping[str, Recipe], what: str, spec: ObjectSpec, **ours: float) -> object:
    if spec.kind not in table:
        raise Unbuildable((("", f"{shown(spec.kind)} is no {what} that unstuck builds"),))
    try:
        return table[spec.kind](spec.config, **ours)
    except RefusedError as refusal:
        raise Unbuildable((("", f"{what} {spec.kind}: {refusal.reason}"),)) from None

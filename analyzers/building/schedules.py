"""Learning-rate schedules, made from our own table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keras.optimizers import schedules

from analyzers.building.checks import (
    RATE,
    Argument,
    RefusedError,
    integer,
    listed,
    number,
    optional,
    required,
    shown,
)
from analyzers.building.objects import FLAG, Recipe
from analyzers.building.parts import Unbuildable
from analyzers.spec import ObjectSpec

_STEPS: Final = required(number(1, 2**53))
_INITIAL: Final = {"initial_learning_rate": required(number(0))}
_DECAY: Final = {**_INITIAL, "decay_steps": _STEPS, "decay_rate": required(number(0)), "staircase": FLAG}
_MANY: Final = 2**12

SCHEDULES: Final[Mapping[str, Recipe]] = {
    "ExponentialDecay": Recipe(schedules.ExponentialDecay, _DECAY),
    "InverseTimeDecay": Recipe(schedules.InverseTimeDecay, _DECAY),
    "PolynomialDecay": Recipe(
        schedules.PolynomialDecay,
        {
            **_INITIAL,
            "decay_steps": _STEPS,
            "end_learning_rate": Argument(number(0), 0.0001),
            "power": Argument(number(), 1.0),
            "cycle": FLAG,
        },
    ),
    "CosineDecay": Recipe(
        schedules.CosineDecay,
        {
            **_INITIAL,
            "decay_steps": _STEPS,
            "alpha": Argument(RATE, 0.0),
            "warmup_target": Argument(optional(number(0))),
            "warmup_steps": Argument(number(0, 2**53), 0),
        },
    ),
    "CosineDecayRestarts": Recipe(
        schedules.CosineDecayRestarts,
        {
            **_INITIAL,
            "first_decay_steps": _STEPS,
            "t_mul": Argument(number(0), 2.0),
            "m_mul": Argument(number(0), 1.0),
            "alpha": Argument(RATE, 0.0),
        },
    ),
    "PiecewiseConstantDecay": Recipe(
        schedules.PiecewiseConstantDecay,
        {
            "boundaries": required(listed(integer(0, 2**53), 1, _MANY)),
            "values": required(listed(number(0), 1, _MANY)),
        },
    ),
}
"""Kind -> how to make the schedule."""


def make_schedule(spec: ObjectSpec) -> schedules.LearningRateSchedule:
    """The schedule of a spec.

    Raises:
        Unbuildable: the schedule is not one of Keras's, or an argument is outside its range.
    """
    if spec.kind not in SCHEDULES:
        raise Unbuildable((("", f"{shown(spec.kind)} is no schedule that unstuck builds"),))
    try:
        return SCHEDULES[spec.kind]({key: value for key, value in spec.config.items() if key != "name"})
    except RefusedError as refusal:
        raise Unbuildable((("", f"schedule {spec.kind}: {refusal.reason}"),)) from None

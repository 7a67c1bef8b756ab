"""What a case of the zoo is: how to build it, how its data were scaled, what must be found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from analyzers.report import Verdict

Framework: TypeAlias = "Any"
"""Today's ``keras`` or the legacy ``tf_keras``: modules of one API that share no static type."""

Model: TypeAlias = "Any"
"""A compiled model of either framework."""

Scale = Literal["full", "small"]
"""``full`` is the source's own size; ``small`` a twin with the same sickness, cheap enough for tests."""

PixelRange = Literal["0-255", "0-1", "-0.5-0.5", "-1-1", "standardized"]
"""How the data were scaled before they reached the model."""


@dataclass(frozen=True)
class Expectation:
    """What the report must say.

    Attributes:
        verdicts: accepted verdicts.
        top: rules of which at least one must be among the first three findings; empty asks nothing.
        named: rules that must all be among the findings, whatever their status: a suspicion that
            the probe refuted is named as refuted.
        interventions: interventions of which a verified fix must hold at least one; empty asks for
            no fix.
        level_error: whether the report may reach the level ``error``.
    """

    verdicts: frozenset[Verdict]
    top: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    interventions: frozenset[str] = frozenset()
    level_error: bool = True


@dataclass(frozen=True)
class Training:
    """A real training run by plain Keras, after which the model is saved.

    Attributes:
        steps: optimisation steps by scale.
        batch: samples of a step by scale.
    """

    steps: Mapping[Scale, int]
    batch: Mapping[Scale, int]


@dataclass(frozen=True)
class Case:
    """One model of the zoo.

    Attributes:
        name: ``c5``, ``c5-cured``, ``c5-trained`` ...
        title: one line for tables.
        build: makes the compiled model, untrained.
        classes: number of classes by scale.
        pixels: the scale of the data that the source fed to it.
        expectation: what the report must say.
        training: the run that the saved state comes from; None saves the untrained model.
    """

    name: str
    title: str
    build: Callable[[Framework, Scale], Model]
    classes: Mapping[Scale, int]
    pixels: PixelRange
    expectation: Expectation
    training: Training | None = None


HEALTHY = Expectation(verdicts=frozenset({"converges", "conditional", "slow"}), level_error=False)
"""A model that can learn: a doubt about scale or speed is honest, a bad verdict is a false alarm."""

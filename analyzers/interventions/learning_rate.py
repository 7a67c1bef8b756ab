"""Another constant learning rate in the compile settings."""

from __future__ import annotations

from dataclasses import replace

from analyzers.spec import ModelSpec
from analyzers.spec.learning_rates import SLACK, Rate, rate_of


def with_rate(spec: ModelSpec, rate: float) -> ModelSpec:
    """``spec`` trained at the constant ``rate``: a schedule is dropped, so is the saved run's last rate.

    Raises:
        ValueError: the spec has no training settings.
    """
    training = spec.training
    if training is None:
        raise ValueError("a model without training settings has no learning rate")
    optimizer = training.optimizer
    if optimizer is not None and "learning_rate" in optimizer.config:
        optimizer = replace(optimizer, config={**optimizer.config, "learning_rate": rate})
    return replace(
        spec,
        training=replace(
            training, optimizer=optimizer, learning_rate=rate, schedule=None, rate_in_force=None
        ),
    )


def current_rate(spec: ModelSpec) -> float | None:
    """The configured rate; None where the file has none, or one that no factor can change."""
    rate = spec.training.learning_rate if spec.training is not None else None
    return rate if rate is not None and rate > 0 else None


def usual_rate(spec: ModelSpec, current: float) -> float:
    """The usual rate of the model's optimizer where ``current`` lies outside its range; else ``current``."""
    found = rate_of(spec.training) if spec.training is not None else ""
    if not isinstance(found, Rate):
        return current
    within = found.range.low <= SLACK * found.step_length and found.step_length <= SLACK * found.range.high
    return current if within else found.as_rate(found.range.usual)


def shown(rate: float) -> str:
    """A rate as people write it: ``0.001``, ``1e-05``."""
    return f"{rate:.3g}"

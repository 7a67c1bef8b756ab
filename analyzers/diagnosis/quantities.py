"""Whether an intervention moved what it said it would move, between a run without and a run with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from analyzers.interventions.base import Quantity
from analyzers.probe.evidence import Run

NEARER: Final = 0.7
"""A scale or profile has moved when its distance from 1, in decades, shrank below this share."""

SETTLED: Final = 0.3
"""Decades from 1 within which a scale or profile counts as right, however near it was before."""

FEWER: Final = 0.5
"""A share of dead units has moved when it fell below this share of what it was."""

LOUDER: Final = 2.0
"""Factor by which a gradient that a loss or an activation muffled must grow: the slope of a second softmax
over K equal probabilities is about 1/K, that of a squared error behind one likewise."""

SHIFTED: Final = 0.5
"""Decades by which the median update ratio of the first step must differ."""


def _distance(values: Mapping[str, float]) -> float:
    """Largest distance of a layer's figure from 1, in decades; infinite where one is zero."""
    finite = [value for value in values.values() if math.isfinite(value)]
    return max((abs(math.log10(value)) if value > 0 else math.inf for value in finite), default=0.0)


def _common(run: Run, other: Run) -> Mapping[str, float]:
    """Start activation scales of the layers that both runs have."""
    return {p: v for p, v in run.start.activation_rms.items() if p in other.start.activation_rms}


def _input_scale(before: Run, after: Run) -> tuple[float, float]:
    first = next(iter(_common(before, after)), None)
    if first is None:
        return 0.0, 0.0
    return tuple(_distance({first: run.start.activation_rms[first]}) for run in (before, after))  # type: ignore[return-value] # two in, two out


def _activation_scale(before: Run, after: Run) -> tuple[float, float]:
    return _distance(_common(before, after)), _distance(_common(after, before))


def _profile(run: Run) -> float:
    """Spread over layers of the first step's gradient norm relative to weight norm, in decades."""
    relative = [
        series[0] / run.weight_norms[path]
        for path, series in run.gradient_norms.items()
        if run.weight_norms[path] > 0 and math.isfinite(series[0])
    ]
    positive = [value for value in relative if value > 0]
    if not positive:
        return math.inf if relative else 0.0
    return math.log10(max(positive) / min(positive)) if len(positive) == len(relative) else math.inf


def _nearer(pair: Callable[[Run, Run], tuple[float, float]]) -> Callable[[Run, Run], bool]:
    def moved(before: Run, after: Run) -> bool:
        old, new = pair(before, after)
        return new < NEARER * old or (old > SETTLED >= new)

    return moved


def _median_update(run: Run) -> float:
    """Median over layers of the first step's update ratio, in decades.

    Only there have both runs the same weights; later a rate that is too high has made the weights so
    large, or units so dead, that its updates look small beside them.
    """
    ratios = np.array([series[0] for series in run.update_ratios.values() if series], dtype=float)
    positive = ratios[np.isfinite(ratios) & (ratios > 0)]
    return float(np.median(np.log10(positive))) if positive.size else -math.inf


def _dead(run: Run) -> float:
    return max(run.end.dead_fraction.values(), default=0.0)


def _initial_loss(run: Run) -> float:
    """Cross-entropy of the untrained model's guesses: near ln K for an output that is read as it should be."""
    return run.judged[0] if run.judged else 0.0


def _louder(before: Run, after: Run) -> bool:
    """Whether the loss passes more back, at the first step or at the last.

    Values that are no probabilities are clipped, and the gradient is gone once all of them are.
    """
    return any(_output_gradient(after, step) > LOUDER * _output_gradient(before, step) for step in (0, -1))


def _output_gradient(run: Run, step: int) -> float:
    """Gradient norm over weight norm of the last layer that learns at a step."""
    path = next(reversed(list(run.gradient_norms)), None)
    if path is None or not run.weight_norms[path]:
        return 0.0
    return run.gradient_norms[path][step] / run.weight_norms[path]


def _gap(run: Run) -> float:
    return run.end.inference_loss - run.end.training_loss


_MOVED: Final[Mapping[Quantity, Callable[[Run, Run], bool]]] = {
    "input_scale": _nearer(_input_scale),
    "activation_scale": _nearer(_activation_scale),
    "gradient_profile": _nearer(lambda before, after: (_profile(before), _profile(after))),
    "dead_fraction": lambda before, after: _dead(after) < FEWER * _dead(before),
    "update_ratio": lambda before, after: abs(_median_update(after) - _median_update(before)) > SHIFTED,
    "output_spread": lambda before, after: after.end.output_spread > 10 * before.end.output_spread,
    "initial_loss": lambda before, after: _initial_loss(after) < NEARER * _initial_loss(before),
    "output_gradient": _louder,
    "train_inference_gap": lambda before, after: _gap(after) < FEWER * _gap(before),
}


def moved(quantity: Quantity, before: Run, after: Run) -> bool:
    """Whether ``quantity`` moved the right way from a run without to a run with an intervention."""
    return _MOVED[quantity](before, after)

"""How a run is judged: against chance, on unseen samples, and only by what depends on the input.

Losses here are normalised (`analyzers.probe.evidence.Run`): 1 is the best constant answer and 0 perfect.
Counts of steps are for runs as long as an image classifier's; longer runs stretch those that stand for
patience.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from analyzers.report import RunVerdict
from analyzers.spec import Array

LEARNT: Final = 0.5
"""Normalised loss under which the task counts as learnt: half of what can be known is known."""

CLEARLY_LEARNT: Final = 0.3
"""Normalised loss, averaged over a window, at which a run is stopped early."""

WINDOW: Final = 4
"""Steps averaged before anything is concluded from training batches."""

SIGNIFICANT: Final = 3.0
"""Standard errors that an information gain or a slope must be away from 0."""

MATERIAL: Final = 5e-4
"""Nats that an information gain must reach besides: the outputs of a network that is all but dead still
depend on the input beyond doubt, by some ten-thousandths."""

DIVERGED: Final = 5.0
"""Multiple of the larger of the first losses and chance over which a rising loss has diverged."""

EXPLODED: Final = 1000.0
"""Multiple of the same at which one loss is enough: nothing is learnt from there at the same rate."""

EARLIEST_DEATH: Final = 16
"""Steps before a model with no signal left is given up."""

EARLIEST_SURRENDER: Final = 48
"""Steps before a model whose outputs say nothing about their inputs is given up.  Deep plain networks at
a sound rate wait some 30 steps before their loss moves, but the information in their outputs is beyond
doubt by then (about 10 standard errors, measured on VGG-like networks)."""

FADED: Final = 0.2
"""Share of its first size under which the first layer's gradient counts as dying away."""

GONE: Final = 0.02
"""Share of its first size under which the first layer's gradient counts as gone: in plain networks whose
units die it falls to a thousandth within some 20 steps (measured)."""

EARLIEST_END: Final = 32
"""Steps before a model whose outputs say nothing, and whose first gradient is gone, is given up."""

LONGEST: Final = 180
"""Steps of the longest run (`analyzers.probe.runner.EXTENSION` times the plan's)."""

PLATEAU: Final = 90
"""Steps after which a run whose outputs still say nothing gets no more."""

AT_CHANCE: Final = 0.03
"""Distance from chance, as a share of it, within which a normalised loss rests there: the losses of dead
networks stay within 0.005, their biases following each batch (measured)."""

MOVED: Final = 0.02
"""Relative change of weights under which a layer still is what it was initialised to."""

POOLED: Final = 16
"""Latest steps over which the information in the outputs is pooled."""

DEAD_SPREAD: Final = 1e-5
"""Relative spread of the logits over a batch under which the output is constant: float32 rounding of a
sum of some thousand terms leaves about 1e-6."""

DEAD_GRADIENT: Final = 1e-7
"""Gradient norm over weight norm under which a layer does not move at any usual rate: the smallest in
healthy fresh networks (ConvNeXt behind LayerScale 1e-6, PROBE.md) is above it."""

GROWTH: Final = 1.3
"""Factor by which the information in the outputs must have grown over `POOLED` steps to count as rising;
networks that are about to learn multiply it by 3 to 10 in that time (measured on VGG-like networks)."""

PROGRESS: Final = 0.97
"""Normalised loss under which something was learnt: such a run is given more steps, and is slow, not
stuck, when they are used up."""


@dataclass(frozen=True)
class Series:
    """What the judgement reads of a run in progress; one entry per step.

    Attributes:
        judged: normalised loss of each (unseen) training batch.
        loss: data loss.
        spread: relative spread of the logits.
        motion: largest gradient norm over weight norm, over all layers but the last.
        gains: information gain of every sample of each batch, in nats.
        first: gradient norm over weight norm of the first trained layer.
        moves: largest update norm over weight norm, over all layers but the last.
        chance: data loss of the best constant prediction.
        stretch: length of the run in those of an image classifier's.
    """

    chance: float
    stretch: float = 1.0
    judged: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    motion: list[float] = field(default_factory=list)
    gains: list[Array] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    moves: list[float] = field(default_factory=list)


def diverged(series: Series) -> bool:
    """Whether the loss is not finite, has exploded, or is far above its start and chance and rising."""
    losses = np.asarray(series.loss)
    if not np.all(np.isfinite(losses[-1:])):
        return True
    if losses[-1] > EXPLODED * max(float(losses[0]), series.chance):
        return True
    if len(losses) < 3 * WINDOW:
        return False
    first, middle, last = losses[:WINDOW], losses[-2 * WINDOW : -WINDOW], losses[-WINDOW:]
    bound = DIVERGED * max(float(np.max(first)), series.chance)
    return bool(np.median(last) > bound and np.median(last) > np.median(middle))


def clearly_learnt(series: Series) -> bool:
    """Whether the last training batches leave no doubt."""
    recent = series.judged[-WINDOW:]
    return len(recent) == WINDOW and float(np.mean(recent)) < CLEARLY_LEARNT


def dead(series: Series) -> bool:
    """Whether nothing can move any more: a constant output and no gradient below the last layer."""
    if len(series.loss) < EARLIEST_DEATH * series.stretch:
        return False
    return max(series.spread[-WINDOW:]) < DEAD_SPREAD and max(series.motion[-WINDOW:]) < DEAD_GRADIENT


def uninformed(series: Series, earliest: int = EARLIEST_SURRENDER) -> bool:
    """Whether, after long enough, the outputs still say nothing about the inputs."""
    if len(series.gains) < earliest * series.stretch:
        return False
    gains = np.concatenate(series.gains[-POOLED:])
    return not informative(float(gains.mean()), float(gains.std() / np.sqrt(gains.size)))


def informative(gain: float, error: float) -> bool:
    """Whether an information gain with this standard error, in nats, is there beyond doubt."""
    return gain > max(SIGNIFICANT * error, MATERIAL)


def hopeless(series: Series) -> bool:
    """Whether nothing is learnt and nothing on the way: uninformed, at rest, and fading or immobile."""
    if not resting(series):
        return False
    if uninformed(series, EARLIEST_END) and fading(series, GONE):
        return True
    return uninformed(series) and (fading(series) or immobile(series))


def resting(series: Series) -> bool:
    """Whether the loss rests at chance.

    A normalised network at a high rate starts with a burst that leaves its gradients small for good;
    its loss comes down from there, where that of a dying network stays at chance.
    """
    return abs(float(np.median(series.judged[-POOLED:])) - 1.0) < AT_CHANCE


def fading(series: Series, share: float = FADED) -> bool:
    """Whether the gradient at the first layer dies away: what tells a dying network from a plateau.

    On the plateau before a deep network learns, the first layer's gradient keeps its size or grows; in a
    network whose units die it falls by one to two orders of magnitude.
    """
    start = float(np.median(series.first[:WINDOW]))
    return float(np.median(series.first[-POOLED:])) < share * start


def immobile(series: Series) -> bool:
    """Whether, at the present size of its steps, no hidden layer would have moved by the last extension."""
    return float(np.median(series.moves[-POOLED:])) * LONGEST * series.stretch < MOVED


def progressing(series: Series) -> bool:
    """Whether a run that has used its steps is still on its way down, and deserves more.

    Either its loss falls beyond doubt, or the information in its outputs, which moves long before the
    loss does, is there and has grown.
    """
    if len(series.judged) < 2 * WINDOW or uninformed(series):
        return False
    if len(series.gains) >= max(2 * POOLED, EARLIEST_SURRENDER * series.stretch):
        latest = float(np.mean(np.concatenate(series.gains[-POOLED:])))
        earlier = float(np.mean(np.concatenate(series.gains[-2 * POOLED : -POOLED])))
        if latest > GROWTH * max(earlier, 0.0):
            return True
    slope, error = slope_of(series.judged[len(series.judged) // 2 :])
    return float(np.mean(series.judged[-2 * WINDOW :])) < PROGRESS and slope < -SIGNIFICANT * error


def receding(series: Series) -> bool:
    """Whether a run is on its way back up: what it had learnt is lost again, as under a penalty that is too strong."""
    slope, error = slope_of(series.judged[len(series.judged) // 2 :])
    return slope > SIGNIFICANT * error


def undecided(series: Series, *, patient: bool) -> bool:
    """Whether a run that has used its steps deserves more: on its way down or, if ``patient``, on a live plateau.

    A silent plateau is followed half as far: networks that learn at all say something of the input by then.
    """
    if progressing(series) or _part_way(series):
        return True
    return (
        patient and len(series.loss) < PLATEAU * series.stretch and not (fading(series) or immobile(series))
    )


def _part_way(series: Series) -> bool:
    """Whether the loss is below chance and the outputs say something of the input."""
    below = float(np.mean(series.judged[-2 * WINDOW :])) < PROGRESS
    return below and not uninformed(series)


def slope_of(values: Sequence[float]) -> tuple[float, float]:
    """Least-squares slope per step and its standard error."""
    y = np.asarray(values, dtype=float)
    x = np.arange(len(y)) - (len(y) - 1) / 2
    spread = float(np.sum(x**2))
    if len(y) < 3 or spread == 0:
        return 0.0, float("inf")
    slope = float(np.sum(x * y) / spread)
    residual = y - y.mean() - slope * x
    return slope, float(np.sqrt(np.sum(residual**2) / (len(y) - 2) / spread))


def final_verdict(series: Series, normalized: float, gain: float, gain_error: float) -> RunVerdict:
    """The verdict of a finished run.

    Args:
        series: the whole run.
        normalized: normalised loss on unseen samples at the end.
        gain: information gain on them, in nats.
        gain_error: its standard error.
    """
    informed = informative(gain, gain_error)
    if diverged(series) or not np.isfinite(normalized):
        return "diverged"
    if normalized < LEARNT and informed:
        return "learnt"
    windows = _windows(series.judged)
    if len(windows) and float(np.min(windows)) < LEARNT:
        return "unstable"
    if informed and not receding(series) and (normalized < PROGRESS or progressing(series)):
        return "slow"
    return "stuck"


def _windows(values: list[float]) -> Array:
    """Running means over `WINDOW` steps."""
    if len(values) < WINDOW:
        return np.empty(0)
    return np.convolve(np.asarray(values, dtype=float), np.ones(WINDOW) / WINDOW, mode="valid")


def extrapolated_steps(judged: Sequence[float]) -> tuple[float, float, float] | None:
    """Steps until the normalised loss reaches `LEARNT`, with a 95 % interval, from the later half.

    None where the slope's interval includes 0.
    """
    half = len(judged) // 2
    slope, error = slope_of(judged[half:])
    low, high = slope - 1.96 * error, slope + 1.96 * error
    if high >= 0:
        return None
    level = float(np.mean(judged[-WINDOW:]))
    missing = max(level - LEARNT, 0.0)
    best, early, late = (len(judged) + missing / -s for s in (slope, low, high))
    return best, early, late

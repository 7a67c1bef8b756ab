"""What a real training shows: learnt, slow, unstable, stuck or diverged.

The scale is the held-out error between what the best constant prediction makes (1) and what a sound small
model attains on the same data (0), so that a data set's own noise is nobody's fault.  A model has learnt where
it halves the distance, which is also where the probe draws the line on its own tasks
(`analyzers.probe.judgement.LEARNT`); of several outputs the worst counts.  Coming down to 1 is not learning: a
bias alone does that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from analyzers.report import RunVerdict

LEARNT: Final = 0.5
"""Place on the scale under which the task is learnt."""

PROMPT: Final = 10
"""Looks within which it must be learnt, or it is slow: ten of the probe's runs of 60 steps, three times as many
steps as its longest run takes."""

LASTING: Final = 3
"""Last looks of which the middle one counts as the end."""

PROGRESS: Final = 0.95
"""Place on the scale under which something was learnt, if it is beyond chance too."""

SIGNIFICANT: Final = 3.0
"""Standard errors that a difference must be away from 0."""

DIVERGED: Final = 5.0
"""Multiple of the first period's training loss over which the last one's has diverged."""

_WORST_FIRST: Final[tuple[RunVerdict, ...]] = ("diverged", "stuck", "unstable", "slow", "learnt")
TRAINS: Final[frozenset[RunVerdict]] = frozenset({"learnt", "slow"})


def scaled(result: Mapping[str, Any], attainable: Sequence[float]) -> list[float]:
    """The worst output's place on the scale at every look; infinite where its error was not finite."""
    return [
        max(_place(risk, chance, least) for risk, chance, least in zip(look, result["chance"], attainable, strict=True))
        for look in result["risk"]
    ]  # fmt: skip


def _place(risk: float | None, chance: float, attainable: float) -> float:
    return float("inf") if risk is None else (risk / chance - attainable) / (1 - attainable)


def outcome(result: Mapping[str, Any], attainable: Sequence[float]) -> RunVerdict:
    """How one training ended.

    Args:
        result: of `benchmarks.real_training.train`.
        attainable: of the data set, for each output.
    """
    places, losses = scaled(result, attainable), result["loss"]
    if losses[-1] is None or places[-1] == float("inf"):
        return "diverged"
    end = float(np.median(places[-LASTING:]))
    first = next((number for number, place in enumerate(places) if place < LEARNT), None)
    if end < LEARNT and first is not None:
        return "learnt" if first < PROMPT else "slow"
    if losses[-1] > DIVERGED * losses[0]:
        return "diverged"
    if first is not None:
        return "unstable" if losses[-1] > losses[first] else "learnt"  # it fits the training samples too well
    return "slow" if end < PROGRESS and _beyond_chance(result, attainable) else "stuck"


def _beyond_chance(result: Mapping[str, Any], attainable: Sequence[float]) -> bool:
    """Whether, at the worst output, the last error is under that of the best constant beyond doubt."""
    rows = zip(
        result["risk"][-1], result["chance"], attainable, result["gain"], result["gain_error"], strict=True
    )
    _, gain, error = max(
        (_place(risk, chance, least), gain, error) for risk, chance, least, gain, error in rows
    )
    return bool(gain > SIGNIFICANT * error)


def close(result: Mapping[str, Any], attainable: Sequence[float]) -> bool:
    """Whether another seed might end otherwise: near the line at the end, or across it on the way only."""
    places = scaled(result, attainable)
    return abs(places[-1] - LEARNT) < 0.15 or outcome(result, attainable) == "unstable"


def settled(outcomes: Sequence[RunVerdict]) -> RunVerdict:
    """The outcome of several seeds: unstable where some train and some do not, else the most common, or the worse."""
    if 0 < sum(one in TRAINS for one in outcomes) < len(outcomes):
        return "unstable"
    counts = Counter(outcomes)
    return max(counts, key=lambda one: (counts[one], -_WORST_FIRST.index(one)))

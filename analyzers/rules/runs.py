"""What the probe's rules read from a training run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from analyzers.probe.evidence import InputScale, ProbeEvidence, Run, Snapshot
from analyzers.report import RunVerdict
from analyzers.rule import NotApplicable
from analyzers.rules.dependence import separates
from analyzers.spec.graph import Graph
from analyzers.spec.roles import is_weighted

FAILED: Final[frozenset[RunVerdict]] = frozenset({"stuck", "diverged", "unstable"})
"""Verdicts of a run that did not learn.  On any other no probe rule warns or fails (PROBE.md)."""

UNLEARNT: Final[frozenset[RunVerdict]] = FAILED | {"slow"}
"""The same with those that were still on their way."""

SILENT: Final = 1e-6
"""Activations or gradients under this share of the largest layer's are taken as gone."""

ALL_DEAD: Final = 0.999
"""Share of units that are never positive from which a layer is dead as a whole."""

HALF_WAY: Final = 0.5
"""Normalised loss half-way from chance to zero."""

WINDOW: Final = 5
"""Steps at either end of a run whose median stands for its start or its end."""


def control_failed(evidence: ProbeEvidence) -> NotApplicable | None:
    """Abstain where the control did not learn: then nothing can be claimed about the model."""
    if evidence.control.verdict == "learnt":
        return None
    return NotApplicable(
        "the control model did not learn the task in the same steps either, so nothing can be claimed about "
        "this model; a larger budget_s would settle it"
    )


def last_fifth(series: Sequence[float]) -> tuple[float, ...]:
    """The last fifth of a series, one entry at least; empty for an empty one."""
    return tuple(series[-max(len(series) // 5, 1) :]) if series else ()


def middle(values: Sequence[float]) -> float:
    """Median of the finite values; NaN where there are none."""
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else math.nan


def unlearnt_steps(run: Run) -> tuple[int, ...]:
    """Steps at which the judged loss was finite and not yet half-way from chance to zero.

    Only there does a small gradient say something: where the loss is low it has to be small.
    """
    return tuple(step for step, loss in enumerate(run.judged) if math.isfinite(loss) and loss > HALF_WAY)


def gradient_profile(graph: Graph, run: Run, steps: Sequence[int]) -> Mapping[str, float]:
    """Gradient norm over weight norm of each weighted layer: medians over ``steps``, in the model's order."""
    weighted = {layer.path for layer in graph.flat.layers if is_weighted(layer)}
    found: dict[str, float] = {}
    for path, series in run.gradient_norms.items():
        norm = run.weight_norms.get(path, 0.0)
        value = middle([series[step] for step in steps if step < len(series)])
        if path in weighted and norm > 0 and not math.isnan(value):
            found[path] = value / norm
    return found


def signal_lost(graph: Graph, snapshot: Snapshot) -> tuple[str, str] | None:
    """The first layer behind which nothing of the input is left, and how it shows; None where none is.

    Only what the tables prove: all of a layer's units dead, its output zero or one number everywhere,
    and no way from the input to the output round it.
    """
    largest = max((rms for rms in snapshot.activation_rms.values() if math.isfinite(rms)), default=0.0)
    for path, rms in snapshot.activation_rms.items():
        how = _silence(snapshot, path, rms, largest)
        if how is not None and separates(graph, {path}):
            return path, how
    return None


def _silence(snapshot: Snapshot, path: str, rms: float, largest: float) -> str | None:
    if snapshot.dead_fraction.get(path, 0.0) >= ALL_DEAD:
        return "no unit is positive for any sample"
    if rms <= SILENT * largest:
        return "its output is zero"
    if snapshot.activation_std.get(path, math.nan) <= SILENT * rms:
        return "its output is one number everywhere"
    return None


SCALES: Final[Mapping[InputScale, str]] = {
    "standardized": "standardised input",
    "raw": "raw 0-255 input",
    "0-1": "input of 0-1",
    "-1-1": "input of -1 to 1",
    "unscaled": "features in units of their own",
}
"""Input scales of the probe, for a sentence."""


def conditions(run: Run) -> str:
    """Under which conditions a run was made, for a sentence."""
    weights = "the saved weights" if run.weights == "saved" else "fresh weights"
    return f"{weights}, {SCALES[run.input_scale]}, learning rate {run.learning_rate:.3g}"

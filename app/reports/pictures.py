"""What the pictures of a report show, computed once for every format that draws.

Three pictures: the loss of the model as it is and of the fixed one over the steps of the probe, with the
level of chance; the gradient norm of each layer, of the same two runs, at the start of training; and the
learning rates and input scales at which the unchanged design learns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from pydantic import BaseModel

from analyzers.report import Report, RunReport, RunVerdict, Verdict
from app.reports import clean, words

NOT_THE_MODEL: Final = frozenset({"control model", "with a warmed-up rate and clipped gradients"})
"""Labels of runs without interventions that are not of the model as it is."""

Role = Literal["original", "fixed"]

CURVES_PER_ROLE: Final = 4
"""Runs drawn of the original and of the fixed model each: the main one and up to three more."""
EARLY_STEPS: Final = 5
"""Steps whose gradient norms are averaged: while the loss is not yet low (PROBE.md)."""
RATE_TOLERANCE: Final = 1e-4
"""Relative difference up to which two learning rates are one: runs tell theirs to five digits."""
LOG_RATIO: Final = 10.0
"""The loss is drawn on a logarithmic axis where it rises to this many times chance."""


RUN_VERDICT_OF: Final[Mapping[Verdict, RunVerdict]] = {
    "converges": "learnt",
    "conditional": "learnt",
    "slow": "slow",
    "unstable": "unstable",
    "stuck": "stuck",
    "diverges": "diverged",
}
"""The verdict of the run that decides a report's verdict."""


@dataclass(frozen=True)
class Curve:
    """One run's loss.  ``main`` is drawn strong, the others (more seeds, scales) faint."""

    label: str
    role: Role
    main: bool
    loss: tuple[float | None, ...]
    verdict: str


@dataclass(frozen=True)
class LossPicture:
    """The loss curves of a report in one picture.

    Attributes:
        curves: the original's, then the fixed model's; in each the main one first.
        chance: loss of the best constant prediction.
    """

    curves: tuple[Curve, ...]
    chance: float

    @property
    def steps(self) -> int:
        """Steps of the longest curve."""
        return max(len(curve.loss) for curve in self.curves)

    @property
    def values(self) -> tuple[float, ...]:
        """Every loss drawn, and chance."""
        drawn = (value for curve in self.curves for value in curve.loss if value is not None)
        return (*drawn, self.chance)

    @property
    def logarithmic(self) -> bool:
        """Whether a loss rose so far that a linear axis would press all others flat."""
        return min(self.values) > 0 and max(self.values) > LOG_RATIO * self.chance


@dataclass(frozen=True)
class GradientRow:
    """One layer's gradient norm in the original and in the fixed model; None where it has none."""

    layer: str
    original: float | None
    fixed: float | None


@dataclass(frozen=True)
class GradientPicture:
    """Gradient norms in the order of the layers.  ``low`` and ``high`` are whole powers of ten around them."""

    rows: tuple[GradientRow, ...]
    low: int
    high: int
    has_fixed: bool

    def position(self, value: float | None) -> float | None:
        """Where ``value`` lies on the axis, 0 to 100; a zero gradient lies at 0."""
        if value is None:
            return None
        if value <= 0:
            return 0.0
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return 100 * min(max(share, 0.0), 1.0)

    @property
    def ticks(self) -> tuple[int, ...]:
        """Powers of ten that are labelled: both ends and, where there is room, the middle."""
        return tuple(sorted({self.low, (self.low + self.high) // 2, self.high}))


def _likeness(original: RunReport, fixed: RunReport) -> int:
    """How alike the conditions of two runs are: same data, same weights, same scale; and what they show."""
    same = (
        fixed.seed == original.seed,
        fixed.weights == original.weights,
        fixed.input_scale == original.input_scale,
        bool(original.gradient_norms),
    )
    return sum(same)


def main_runs(report: Report) -> tuple[RunReport | None, RunReport | None]:
    """The run of the original and that of the fixed model that are best compared with each other.

    With a fix that is the pair under the most similar conditions among the runs whose verdicts the fix
    reports; without one, the first run of the model as it is whose verdict fits the report's.
    """
    if report.probe is None:
        return None, None
    before = report.fix.before.verdict if report.fix else RUN_VERDICT_OF.get(report.verdict)
    after = report.fix.after.verdict if report.fix else None
    originals = original_runs(report)
    pairs = [(one, other) for one in originals for other in fixed_runs(report)]
    if pairs:
        return max(
            pairs, key=lambda pair: (pair[0].verdict == before, pair[1].verdict == after, _likeness(*pair))
        )
    return max(originals, key=lambda run: run.verdict == before, default=None), None


def original_runs(report: Report) -> list[RunReport]:
    """The runs of the model as it is, at the rate of the first: not the control, no other rate, no warm-up."""
    if report.probe is None:
        return []
    runs = [run for run in report.probe.runs if not run.interventions and run.label not in NOT_THE_MODEL]
    return [run for run in runs if run.learning_rate == runs[0].learning_rate]


def fixed_runs(report: Report) -> list[RunReport]:
    """The runs of exactly the reported fix."""
    if report.probe is None or report.fix is None:
        return []
    wanted = {change.intervention for change in report.fix.changes}
    return [run for run in report.probe.runs if set(run.interventions) == wanted and wanted]


def loss_picture(report: Report) -> LossPicture | None:
    """The loss picture, or None where nothing was trained."""
    if report.probe is None:
        return None
    original, fixed = main_runs(report)
    curves = [
        *_curves("original", original, original_runs(report)),
        *_curves("fixed", fixed, fixed_runs(report)),
    ]
    return LossPicture(tuple(curves), report.probe.chance_loss) if curves else None


def _curves(role: Role, main: RunReport | None, runs: Sequence[RunReport]) -> list[Curve]:
    if main is None:
        return []
    others = [run for run in runs if run is not main and any(value is not None for value in run.loss)]
    return [
        Curve(
            label=clean.name(run.label),
            role=role,
            main=run is main,
            loss=tuple(run.loss),
            verdict=words.RUN_VERDICTS[run.verdict].label,
        )
        for run in (main, *others[: CURVES_PER_ROLE - 1])
    ]


def gradient_picture(report: Report) -> GradientPicture | None:
    """The gradient picture of the main runs, or None where no gradient was recorded."""
    original, fixed = main_runs(report)
    if original is None or not original.gradient_norms:
        return None
    before = _early_norms(original.gradient_norms)
    after = _early_norms(fixed.gradient_norms) if fixed else {}
    names = list(before) + [layer for layer in after if layer not in before]
    rows = tuple(GradientRow(clean.name(layer), before.get(layer), after.get(layer)) for layer in names)
    exponents = [
        math.log10(value)
        for row in rows
        for value in (row.original, row.fixed)
        if value is not None and value > 0
    ]
    low, high = (math.floor(min(exponents)), math.ceil(max(exponents))) if exponents else (-1, 0)
    return GradientPicture(rows, low, max(high, low + 1), has_fixed=bool(after))


def _early_norms(series: Mapping[str, Sequence[float | None]]) -> dict[str, float | None]:
    """Mean norm of the first steps of each layer that were numbers."""
    means: dict[str, float | None] = {}
    for layer, norms in series.items():
        early = [norm for norm in norms[:EARLY_STEPS] if norm is not None]
        means[layer] = sum(early) / len(early) if early else None
    return means


@dataclass(frozen=True)
class RateRow:
    """What became of the unchanged design at one learning rate; a cell an input scale, None where not run.

    ``own`` marks the rate that the model was diagnosed with.
    """

    rate: float
    own: bool
    cells: tuple[words.Word | None, ...]


@dataclass(frozen=True)
class TrainabilityPicture:
    """Where the unchanged design learns: learning rates down, input scales across."""

    scales: tuple[str, ...]
    rows: tuple[RateRow, ...]

    TITLE: ClassVar[str] = "Where it learns"
    CAPTION: ClassVar[str] = (
        "What became of the unchanged design at each learning rate and on each input scale that was tried: the "
        "worst result of the runs made there."
    )
    NOT_RUN: ClassVar[str] = "not run"
    OWN: ClassVar[str] = "its own"

    @property
    def table(self) -> list[tuple[str, ...]]:
        """Head and rows as plain text, for formats without colour."""
        return [
            ("Learning rate", *self.scales),
            *(
                (
                    f"{words.exact(row.rate)} ({self.OWN})" if row.own else words.exact(row.rate),
                    *(self.NOT_RUN if cell is None else cell.label for cell in row.cells),
                )
                for row in self.rows
            ),
        ]


class _TrainabilityMap(BaseModel):
    """The report's ``trainability_map``, which its schema leaves open."""

    learning_rates: list[float]
    input_scales: list[str]
    verdicts: list[list[RunVerdict | None]]


def trainability_picture(report: Report) -> TrainabilityPicture | None:
    """The map of rates and scales, or None where the report has none of the form known here."""
    try:
        grid = _TrainabilityMap.model_validate(report.trainability_map)
        rows = [
            RateRow(
                rate,
                _same_rate(rate, report.model.learning_rate),
                tuple(
                    None if verdict is None else words.RUN_VERDICTS[verdict]
                    for _, verdict in zip(grid.input_scales, verdicts, strict=True)
                ),
            )
            for rate, verdicts in zip(grid.learning_rates, grid.verdicts, strict=True)
        ]
    except ValueError:
        return None
    return TrainabilityPicture(tuple(words.scale(report, one) for one in grid.input_scales), tuple(rows))


def _same_rate(rate: float, own: float | None) -> bool:
    return own is not None and math.isclose(rate, own, rel_tol=RATE_TOLERANCE)


SPARKS: Final = "▁▂▃▄▅▆▇█"
NOT_A_NUMBER: Final = "\u00d7"


def sparkline(loss: Sequence[float | None], width: int, low: float, high: float) -> str:
    """A curve in ``width`` characters between ``low`` and ``high``; a cross where it was not a number."""
    if not loss:
        return ""
    columns = [loss[min(len(loss) - 1, round(i * (len(loss) - 1) / max(width - 1, 1)))] for i in range(width)]
    span = high - low or 1.0
    top = len(SPARKS) - 1
    return "".join(
        NOT_A_NUMBER if value is None else SPARKS[min(top, max(0, round(top * (value - low) / span)))]
        for value in columns
    )

"""The loss picture as inline SVG without any style attribute, and as data for the page's own chart.

Coordinates are percentages, so the chart takes the width it gets while its text keeps its size; only the
curves live in a stretched inner viewport (with strokes that do not scale).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from markupsafe import Markup, escape

from app.reports import words
from app.reports.pictures import Curve, LossPicture

LEFT: Final = 11.0
"""Percent of the width left of the plot, for the axis labels."""
RIGHT: Final = 98.0
TOP: Final = 4.0
BOTTOM: Final = 88.0
"""Percent of the height above the step axis' labels."""
UNITS: Final = 1000
"""Size of the inner viewport, in both directions."""


class _Scale:
    """Maps a loss to 0 (bottom) .. 1 (top)."""

    def __init__(self, picture: LossPicture) -> None:
        self.logarithmic = picture.logarithmic
        values = picture.values
        if self.logarithmic:
            self.low, self.high = math.log10(min(values)), math.log10(max(values))
        else:
            self.low, self.high = min(0.0, *values), max(values) * 1.06
        self.span = (self.high - self.low) or 1.0

    def __call__(self, value: float) -> float:
        return ((math.log10(value) if self.logarithmic else value) - self.low) / self.span

    def ticks(self) -> list[float]:
        """Four to six round values of the axis."""
        if self.logarithmic:
            step = max(1, math.ceil(self.span / 5))
            return [10.0**power for power in range(math.ceil(self.low), math.floor(self.high) + 1, step)]
        rough = self.span / 4
        unit = 10.0 ** math.floor(math.log10(rough))
        step_size = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.75)
        first = math.ceil(self.low / step_size)
        return [index * step_size for index in range(first, math.floor(self.high / step_size) + 1)]


def loss_data(picture: LossPicture) -> str:
    """The picture as JSON for the page's script; attributes escape it."""
    data: dict[str, Any] = {
        "chance": picture.chance,
        "logarithmic": picture.logarithmic,
        "curves": [
            {"label": curve.label, "role": curve.role, "main": curve.main, "loss": curve.loss}
            for curve in picture.curves
        ],
    }
    return json.dumps(data, allow_nan=False)


def loss_chart(picture: LossPicture) -> Markup:
    """The picture as an ``<svg>``; faint curves first, so that the main ones lie on top."""
    scale = _Scale(picture)
    curves = sorted(picture.curves, key=lambda curve: curve.main)
    parts: list[Markup] = [*_axes(scale, picture.steps)]
    inner = Markup("").join(
        _polyline(part, curve, scale, picture.steps) for curve in curves for part in _parts(curve)
    )
    parts.append(
        Markup(
            '<svg x="{}%" y="{}%" width="{}%" height="{}%" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>'
        ).format(LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP, UNITS, UNITS, inner)
    )
    parts.append(_chance(scale, picture.chance))
    label = "; ".join(
        f"{curve.role}: {curve.label}, {curve.verdict}" for curve in picture.curves if curve.main
    )
    return Markup('<svg class="chart" role="img" aria-label="Loss over steps. {}">{}</svg>').format(
        escape(label), Markup("").join(parts)
    )


def _height(scale: _Scale, value: float) -> float:
    return round(BOTTOM - scale(value) * (BOTTOM - TOP), 2)


def _axes(scale: _Scale, steps: int) -> Iterator[Markup]:
    for tick in scale.ticks():
        y = _height(scale, tick)
        yield Markup('<line class="grid" x1="{}%" x2="{}%" y1="{}%" y2="{}%"/>').format(LEFT, RIGHT, y, y)
        yield Markup('<text class="tick" x="{}%" y="{}%" dx="-6" dy="4" text-anchor="end">{}</text>').format(
            LEFT, y, words.number(tick)
        )
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x = round(LEFT + share * (RIGHT - LEFT), 2)
        text = f"step {round(share * steps)}" if share else "0"
        yield Markup('<text class="tick" x="{}%" y="{}%" dy="18" text-anchor="{}">{}</text>').format(
            x, BOTTOM, anchor, text
        )


def _chance(scale: _Scale, chance: float) -> Markup:
    y = _height(scale, chance)
    return Markup(
        '<line class="chance" x1="{0}%" x2="{1}%" y1="{2}%" y2="{2}%"/>'
        '<text class="chance-label" x="{1}%" y="{2}%" dy="16" text-anchor="end">chance {3}</text>'
    ).format(LEFT, RIGHT, y, words.number(chance))


def _parts(curve: Curve) -> Iterator[list[tuple[int, float]]]:
    """The stretches of a curve between values that were not numbers."""
    stretch: list[tuple[int, float]] = []
    for step, value in enumerate(curve.loss):
        if value is not None:
            stretch.append((step, value))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _polyline(points: Sequence[tuple[int, float]], curve: Curve, scale: _Scale, steps: int) -> Markup:
    width = UNITS / max(steps - 1, 1)
    drawn = " ".join(f"{step * width:.1f},{UNITS * (1 - scale(value)):.1f}" for step, value in points)
    kind = f"curve {curve.role} {'main' if curve.main else 'faint'}"
    return Markup('<polyline class="{}" vector-effect="non-scaling-stroke" points="{}"/>').format(kind, drawn)

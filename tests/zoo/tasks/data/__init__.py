"""Real data that need no network: those of scikit-learn, text of the standard library, series made by rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.zoo.tasks.data import images, joined, series, tables, text
from tests.zoo.tasks.data.parts import Measure, RealData


@dataclass(frozen=True)
class DataSet:
    """One data set and how a model's answers to it are measured.

    Attributes:
        make: loads or makes the data.
        measures: how each output is measured.
        attainable: what a sound small model attains on held-out samples within some ten epochs, as a share
            of the error of the best constant prediction, for each output.  Round figures: a model has learnt
            half-way between this and 1, so that outcomes hang little on them.
    """

    make: Callable[[], RealData]
    measures: tuple[Measure, ...]
    attainable: tuple[float, ...]


def _one(make: Callable[[], RealData], measure: Measure, attainable: float) -> DataSet:
    return DataSet(make, (measure,), (attainable,))


DATA: Final[Mapping[str, DataSet]] = {
    "iris": _one(tables.iris, "class", 0.1),
    "wine": _one(tables.wine, "class", 0.1),
    "wine, raw": _one(tables.wine_raw, "class", 0.1),
    "cancer": _one(tables.cancer, "yes-no", 0.1),
    "cancer, raw": _one(tables.cancer_raw, "yes-no", 0.1),
    "digits, flat": _one(tables.digits, "class", 0.05),
    "digits, four properties": _one(tables.digit_properties, "yes-no", 0.1),
    "diabetes": _one(tables.diabetes, "value", 0.6),
    "diabetes, raw target": _one(tables.diabetes_raw_target, "value", 0.6),
    "diabetes, target 0-1": _one(tables.diabetes_bounded, "value", 0.6),
    "digits": _one(images.digits, "class", 0.05),
    "digits, 0-255": _one(images.digits_raw, "class", 0.05),
    "photographs, 0-255": _one(images.photographs, "class", 0.1),
    "strokes": _one(images.strokes, "yes-no", 0.25),
    "strokes, two classes": _one(images.stroke_classes, "class", 0.25),
    "digits, reconstructed": _one(images.reconstruction, "value", 0.2),
    "digits, flat, reconstructed": _one(images.flat_reconstruction, "value", 0.2),
    "digits, standardised, reconstructed": _one(images.standardized_reconstruction, "value", 0.35),
    "moving digits": _one(images.moving, "class", 0.1),
    "digit rows": _one(series.digit_rows, "class", 0.1),
    "waves": _one(series.waves, "class", 0.05),
    "recall": _one(series.recall, "class", 0.1),
    "recent sum": _one(series.recent_sum, "yes-no", 0.05),
    "season": _one(series.season, "value", 0.05),
    "season, six steps": _one(series.season_ahead, "value", 0.2),
    "prose or code": _one(text.prose_or_code, "yes-no", 0.05),
    "modules": _one(text.modules, "class", 0.4),
    "characters": _one(text.characters, "class", 0.75),
    "word boundaries": _one(text.word_boundaries, "class", 0.1),
    "pairs of digits": _one(joined.pairs, "yes-no", 0.3),
    "digit over a number": _one(joined.digit_and_number, "yes-no", 0.2),
    "digit and parity": DataSet(joined.digit_and_parity, ("class", "yes-no"), (0.05, 0.1)),
    "digit and ink": DataSet(joined.digit_and_ink, ("class", "value"), (0.05, 0.1)),
}
"""Name -> data set."""


@cache
def load(name: str) -> RealData:
    """The data of a name; the same at every call."""
    return DATA[name].make()

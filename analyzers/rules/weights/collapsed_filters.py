"""collapsed-filters: units of one layer that are copies of each other, or all of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.relu_units import RECORD_STEPS
from analyzers.rules.slots import too_few_steps
from analyzers.rules.training_math import initializer_name
from analyzers.rules.words import listed
from analyzers.spec import Array, LayerSpec

LEAST_UNITS: Final = 8
"""Fewer units, or fewer inputs to each, may well be alike or of low rank by chance."""

COPIED_SHARE: Final = 0.5
"""Share of a layer's units that have a copy: symmetry that was never broken copies all of them."""

LOWEST_RANK: Final = 2
"""Directions that all units share from which a layer counts as collapsed."""

SAME: Final = 1e-4
"""Distance, relative to its own length, within which a unit is a copy: a run's rounding is far below."""

NEGLIGIBLE: Final = 1e-3
"""Singular value, relative to the largest, that carries no direction; the same for a unit's length."""

_SKETCH: Final = 32
"""Units and mixtures of inputs that the rank is told from."""

_LAYERS: Final = frozenset({"Dense", "Conv1D", "Conv2D", "Conv3D"})
_CONSTANT: Final = frozenset({"Zeros", "Ones", "Constant", "Identity"})
"""Initialisers that make copies from the start; what they do is degenerate-initializer's to tell."""


class CollapsedFilters(Rule):
    """Units of one layer that are copies of each other, or differ in one or two directions only.

    What it checks:
        Of every trainable Dense and convolution layer with at least eight inputs and eight units: the
        share of units with an exact copy among the others (half or more is told), and the number of
        directions in which units differ (two or fewer). Units of next to no weight are pruned or dead
        and are not counted.

    Why training suffers:
        Units with the same weights compute the same, get the same gradient and stay the same: a layer
        of 256 copies is a layer of one unit. Symmetry that the initialiser does not break is never
        broken, and a rate far too high can drive all units along one direction.

    Bad example:
        ```python
        x = layers.Dense(256, kernel_initializer="ones")(x)
        ```

    Fixed example:
        ```python
        x = layers.Dense(256, kernel_initializer="he_normal")(x)
        ```

    How sure we are:
        The copies are in the file. Random kernels of this size have none, and none of the healthy real
        files looked at has a layer over a threshold.

    Known limitations:
        A file that records fewer than a hundred steps is not judged, and a layer whose initialiser is
        itself constant only where steps are recorded.

    References:
        Goodfellow, Bengio and Courville, Deep Learning, 2016, section 8.4, https://www.deeplearningbook.org
    """

    id: ClassVar[str] = "collapsed-filters"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "Filters that are copies of each other"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = (
        "reinitialize-dead-layers", "he-initialization", "lower-learning-rate",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset({"reinitialize-dead-layers"})
    references: ClassVar[tuple[str, ...]] = ("https://www.deeplearningbook.org",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Copies and rank of each layer's kernel."""
        spec, graph = facts.spec, facts.graph
        if (early := too_few_steps(spec, RECORD_STEPS)) is not None:
            return early
        known = spec.training is not None and spec.training.steps_taken is not None
        layers: dict[str, dict[str, Any]] = {}
        for layer in graph.flat.layers:
            kernel = graph.tensors.get(layer.path, {}).get("kernel")
            if kernel is None or not _judged(layer, known=known) or not graph.statistics.of(kernel).finite:
                continue
            row = collapse(spec.weights.load(kernel))
            if row is not None:
                layers[layer.path] = row
        if not layers:
            return NotApplicable(
                f"no trainable layer has a kernel with {LEAST_UNITS} inputs and units or more"
            )
        return Measurement(max(row["copied"] for row in layers.values()), "share of units", layers)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Warn of layers that are copies by half, or that differ in next to nothing."""
        found = {
            path: row
            for path, row in measurement.layers.items()
            if row["copied"] >= COPIED_SHARE or row["rank"] <= LOWEST_RANK
        }
        if not found:
            return ()
        worst = max(found, key=lambda path: (float(found[path]["copied"]), -int(found[path]["rank"])))
        row = found[worst]
        what = (
            f"{row['copied']:.0%} of the {row['units']} units of {worst} have an exact copy among the others"
            if row["copied"] >= COPIED_SHARE
            else f"the {row['units']} units of {worst} differ in {row['rank']} directions only"
        )
        more = f", and {len(found) - 1} other layers are no better" if len(found) > 1 else ""
        return (
            self.finding(
                "warning",
                layers=tuple(found),
                evidence={"worst_layer": worst, "by_layer": {path: dict(row) for path, row in found.items()}},
                explanation=f"After training {what}{more}. Equal units get equal gradients and stay equal, so that the layer "
                "does the work of a few units.",
                fix=f"Initialise {listed(found)} anew from a random initialiser (he_normal, glorot_uniform), and lower "
                "the learning rate if it happens again.",
                confidence=0.6,
            ),
        )  # fmt: skip


def _judged(layer: LayerSpec, *, known: bool) -> bool:
    constant = initializer_name(layer.config.get("kernel_initializer")) in _CONSTANT
    return layer.kind in _LAYERS and layer.trainable and (known or not constant)


def collapse(kernel: Array) -> dict[str, Any] | None:
    """How far the units of a layer have collapsed, from a sketch of random mixtures of their inputs.

    Args:
        kernel: (..., units), finite.

    Returns:
        ``copied`` (share of units with a copy), ``rank`` (directions in which units differ, at most 32
        are told apart), ``units`` with weights; None for a kernel too small to judge.
    """
    rows = kernel.reshape(-1, kernel.shape[-1])
    if min(rows.shape) < LEAST_UNITS:
        return None
    sketch = _mixtures(rows)
    lengths = np.linalg.norm(sketch, axis=0)
    live = sketch[:, lengths > NEGLIGIBLE * lengths.max()] if lengths.max() > 0 else sketch[:, :0]
    if live.shape[1] < LEAST_UNITS:
        return None
    chosen = live[:, :: max(live.shape[1] // _SKETCH, 1)]
    values = np.linalg.svd(chosen, compute_uv=False)
    rank = int(np.sum(values > NEGLIGIBLE * values[0]))
    return {"copied": _copied(live), "rank": rank, "units": live.shape[1]}


def _mixtures(rows: Array) -> NDArray[np.float64]:
    """Thirty-two fixed random mixtures of a unit's inputs; all of them where there are no more.

    Equal columns stay equal, different ones different, and the rank is kept up to 32.
    """
    if len(rows) <= _SKETCH:
        return rows.astype(np.float64)
    rng = np.random.default_rng(0)
    total = np.zeros((_SKETCH, rows.shape[1]), np.float32)
    for start in range(0, len(rows), 4096):
        part = rows[start : start + 4096].astype(np.float32, copy=False)
        total += rng.standard_normal((_SKETCH, len(part)), dtype=np.float32) @ part
    return total.astype(np.float64)


def _copied(sketch: NDArray[np.float64]) -> float:
    """Share of columns that have an equal among the others.

    Sorted along one mixture, equal columns lie next to each other.
    """
    columns = sketch[:, np.argsort(sketch[0])]
    gaps = np.linalg.norm(np.diff(columns, axis=1), axis=0)
    same = gaps <= SAME * np.linalg.norm(columns[:, 1:], axis=0)
    copied = np.zeros(columns.shape[1], bool)
    copied[1:] |= same
    copied[:-1] |= same
    return float(copied.mean())

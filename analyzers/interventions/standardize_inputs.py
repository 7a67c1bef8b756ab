"""Bring images, or features, to mean 0 and standard deviation 1 in front of the first weights."""

from __future__ import annotations

from typing import ClassVar, Final

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import Insertion, NewLayer, insert
from analyzers.interventions.inputs import NUMBERS, Exit, unscaled_exits
from analyzers.spec import Json, ModelSpec

EPSILON: Final = 1e-6
"""Added to an image's variance: far below that of pixels on any scale (0-1 pixels have about 0.05)."""


MOMENTUM: Final = 0.9
"""Of the statistics of features: those of some dozen batches, not of Keras's usual hundreds."""


class StandardizeInputs(Intervention):
    """Standardise each image by its own mean and standard deviation, and each feature by those of its batch.

    For images the layer is a ``LayerNormalization`` without weights, over all pixels and channels: it
    needs no data to adapt to, loads in plain Keras and gives the same result for raw, 0-1 and wrongly
    scaled pixels.  Features of tables and series differ in scale among themselves, so theirs is a
    ``BatchNormalization`` without trainable weights, which learns each one's mean and deviation while it
    trains.  It stands behind whatever scaling the model already has, since that may be what is wrong.
    """

    id: ClassVar[str] = "standardize-inputs"
    invasiveness: ClassVar[int] = 2
    moves: ClassVar[tuple[Quantity, ...]] = ("input_scale",)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        exits = unscaled_exits(spec, behind_scaling=True, of=NUMBERS)
        if not exits:
            return None
        changed, added = insert(
            spec, {one.path: Insertion((_standardization(one),), one.consumers) for one in exits}
        )
        what = " and ".join(dict.fromkeys("image" if one.kind == "image" else "feature" for one in exits))
        return Applied(changed, added, f"Standardise each {what} to mean 0 and standard deviation 1.")


def _standardization(where: Exit) -> NewLayer:
    if where.kind != "image":
        moving: dict[str, Json] = {
            "axis": -1, "momentum": MOMENTUM, "moving_mean_initializer": {"kind": "Zeros", "config": {}},
            "moving_variance_initializer": {"kind": "Ones", "config": {}}, "synchronized": False,
        }  # fmt: skip
        return NewLayer("standardization", "BatchNormalization", {**moving, **_config(where)})
    axes: list[Json] = list(range(1, len(where.shape)))
    return NewLayer("standardization", "LayerNormalization", {"axis": axes, **_config(where)})


def _config(where: Exit) -> dict[str, Json]:
    """Of a normalisation without trainable weights."""
    return {
        "epsilon": EPSILON,
        "center": False,
        "scale": False,
        "beta_initializer": {"kind": "Zeros", "config": {}},
        "gamma_initializer": {"kind": "Ones", "config": {}},
        "beta_regularizer": None,
        "gamma_regularizer": None,
        "beta_constraint": None,
        "gamma_constraint": None,
        "dtype": where.dtype,
    }

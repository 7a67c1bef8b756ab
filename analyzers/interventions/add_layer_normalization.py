"""Put LayerNormalization between the layers' products and their activations."""

from __future__ import annotations

from typing import ClassVar, Final

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import NewLayer
from analyzers.interventions.normalizing import normalize
from analyzers.spec import Json, LayerSpec, ModelSpec

_DEFAULTS: Final[dict[str, Json]] = {
    "epsilon": 0.001,
    "center": True,
    "scale": True,
    "beta_initializer": {"kind": "Zeros", "config": {}},
    "gamma_initializer": {"kind": "Ones", "config": {}},
    "beta_regularizer": None,
    "gamma_regularizer": None,
    "beta_constraint": None,
    "gamma_constraint": None,
}
"""Keras's own defaults, written out as every spec has them."""


class AddLayerNormalization(Intervention):
    """LayerNormalization behind every hidden convolution or Dense that has no normalisation (`normalize`).

    Unlike BatchNormalization it works on every sample by itself: the same in training and inference, and
    with batches of any size.
    """

    id: ClassVar[str] = "add-layer-normalization"
    invasiveness: ClassVar[int] = 4
    general: ClassVar[bool] = True
    moves: ClassVar[tuple[Quantity, ...]] = ("activation_scale", "gradient_profile")

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        return normalize(spec, "LayerNormalization", _normalization)


def _normalization(layer: LayerSpec) -> NewLayer:
    axis = 1 if layer.config.get("data_format") == "channels_first" else -1
    dtype = layer.config.get("dtype", "float32")
    return NewLayer(f"{layer.name}_ln", "LayerNormalization", {"axis": axis, **_DEFAULTS, "dtype": dtype})

"""Throw away the saved weights of layers that no gradient reaches any more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from analyzers.interventions.activity import trainable
from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import counted
from analyzers.spec import ModelSpec, by_layer
from analyzers.spec.graph import Graph


class ReinitializeDeadLayers(Intervention):
    """Draw layers anew from their initialisers; the graph and its settings stay.

    Args:
        layers: paths of the layers; None takes every trainable layer of which the file has tensors.
    """

    id: ClassVar[str] = "reinitialize-dead-layers"
    invasiveness: ClassVar[int] = 5
    moves: ClassVar[tuple[Quantity, ...]] = ("dead_fraction", "output_spread")

    def __init__(self, layers: Iterable[str] | None = None) -> None:
        self.layers = None if layers is None else frozenset(layers)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        saved = by_layer(spec.weights.tensors)
        candidates = trainable(Graph(spec), lambda layer: layer.path in saved)
        chosen = [one.path for one in candidates if self.layers is None or one.path in self.layers]
        if not chosen:
            return None
        which = "every layer" if len(chosen) == len(candidates) else counted(len(chosen), "layer")
        return Applied(spec, tuple(chosen), f"Draw the weights of {which} anew.", fresh=frozenset(chosen))

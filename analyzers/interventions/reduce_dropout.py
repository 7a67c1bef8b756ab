"""Drop fewer units."""

from __future__ import annotations

from typing import ClassVar, Final

from analyzers.interventions.activity import trainable
from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import by_path, change_layers, counted, with_settings
from analyzers.spec import LayerSpec, ModelSpec, kinds
from analyzers.spec.graph import Graph
from analyzers.spec.roles import core

LIMIT: Final = 0.2
"""Lower end of the 0.2-0.5 that Srivastava et al. (2014) found useful: noise that no network fails by."""

_RATES: Final = {
    **dict.fromkeys(kinds.DROPOUTS, ("rate",)),
    **dict.fromkeys(kinds.RECURRENT, ("dropout", "recurrent_dropout")),
    **dict.fromkeys(kinds.ATTENTION, ("dropout",)),
}
"""Kind -> its arguments that are dropout rates."""


class ReduceDropout(Intervention):
    """Lower every dropout rate above 0.2 to 0.2, in recurrent and attention layers too."""

    id: ClassVar[str] = "reduce-dropout"
    invasiveness: ClassVar[int] = 3
    moves: ClassVar[tuple[Quantity, ...]] = ("train_inference_gap",)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        chosen = {layer.path for layer in trainable(Graph(spec), lambda layer: bool(_excessive(layer)))}
        if not chosen:
            return None
        layers = by_path(spec, lambda layer: layer.path in chosen)
        changed = {
            path: with_settings(layer, dict.fromkeys(_excessive(layer), LIMIT))
            for path, layer in layers.items()
        }
        return Applied(
            change_layers(spec, changed),
            tuple(changed),
            f"Lower the dropout rate of {counted(len(changed), 'layer')} to {LIMIT}.",
            {"rate": LIMIT},
        )


def _excessive(layer: LayerSpec) -> tuple[str, ...]:
    """The layer's arguments that are dropout rates above the limit."""
    inner = core(layer)
    found = []
    for name in _RATES.get(inner.kind, ()):
        rate = inner.config.get(name)
        if isinstance(rate, int | float) and rate > LIMIT:
            found.append(name)
    return tuple(found)

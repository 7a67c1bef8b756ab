"""Take out scaling layers that scale what was scaled already."""

from __future__ import annotations

from typing import ClassVar

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import bypass
from analyzers.spec import ModelSpec
from analyzers.spec.affine import RANGES, chains, judged
from analyzers.spec.graph import Graph
from analyzers.spec.model_inputs import model_inputs


class RemoveDoubleNormalization(Intervention):
    """Remove the scaling layers behind the point at which pixels have a sane scale already.

    Only where the whole chain of fixed scaling layers leaves every usual range of pixels on none
    (`analyzers.spec.affine.judged`).
    """

    id: ClassVar[str] = "remove-double-normalization"
    invasiveness: ClassVar[int] = 2
    moves: ClassVar[tuple[Quantity, ...]] = ("input_scale",)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        graph = Graph(spec)
        found = [
            judged(graph, chain, tuple(RANGES.values()))
            for item in model_inputs(graph)
            if item.kind == "image"
            for chain in chains(graph, item.node)
        ]
        removed = [node.path for one in found if one is not None and one.repeated for node in one.superfluous]
        names = tuple(dict.fromkeys(removed))
        if not names:
            return None
        return Applied(
            bypass(spec, frozenset(names)), names, f"Remove {', '.join(names)}: the pixels are scaled before."
        )

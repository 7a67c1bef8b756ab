"""Feed the first weights from the preprocessing that they bypass."""

from __future__ import annotations

from typing import ClassVar

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import feed
from analyzers.interventions.inputs import preprocessed, unscaled_exits
from analyzers.spec import ModelSpec


class ReconnectPreprocessing(Intervention):
    """Let layers that take raw pixels take those that the model's own scaling layers made of them.

    Only where such layers are in the file, start from the same pixels and keep their shape.
    """

    id: ClassVar[str] = "reconnect-preprocessing"
    invasiveness: ClassVar[int] = 2
    moves: ClassVar[tuple[Quantity, ...]] = ("input_scale",)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        fed: list[str] = []
        ends: list[str] = []
        for one in unscaled_exits(spec, behind_scaling=False):
            end = preprocessed(spec, one.path)
            if end is not None:
                spec = feed(spec, one.consumers, one.path, end)
                fed += sorted(one.consumers)
                ends.append(end)
        if not fed:
            return None
        summary = (
            f"Feed {', '.join(fed)} from {', '.join(dict.fromkeys(ends))} instead of from the raw input."
        )
        return Applied(spec, tuple(fed), summary)

"""Bring what the last layer gives onto the scale of the numbers that are to be predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from analyzers.interventions.base import Applied, Intervention
from analyzers.interventions.edit import Insertion, NewLayer, insert
from analyzers.spec import Json, ModelSpec

DIGITS: Final = 3
"""Significant digits of the numbers that are set: the scale is an estimate."""


class RescaleOutputs(Intervention):
    """Put ``Rescaling(std, offset=mean)`` behind outputs, whose own numbers are then of mean 0 and deviation 1.

    No rule asks for it: that a model learns standardised numbers and not those of its own training is measured.

    Args:
        scales: by the output's position, mean and standard deviation per unit.
    """

    id: ClassVar[str] = "rescale-outputs"
    invasiveness: ClassVar[int] = 2

    def __init__(self, scales: Mapping[int, tuple[Sequence[float], Sequence[float]]]) -> None:
        self.scales = scales

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class; None also where an output's layer gives several."""
        insertions: dict[str, Insertion] = {}
        config: dict[str, Json] = {}
        for index, (mean, std) in self.scales.items():
            end = spec.outputs[index]
            layer = spec.layer(end.layer)
            if end.index != 0 or layer.path in insertions:
                return None
            config = {"scale": _numbers(std), "offset": _numbers(mean)}
            insertions[layer.path] = Insertion((NewLayer("answer", "Rescaling", config),))
        if not insertions:
            return None
        changed, added = insert(spec, insertions)
        settings = config if len(insertions) == 1 else {}
        summary = "Let a Rescaling behind the output bring its numbers onto the scale of the targets."
        return Applied(changed, added, summary, settings)


def _numbers(values: Sequence[float]) -> Json:
    rounded = [float(f"{value:.{DIGITS}g}") for value in values]
    return rounded[0] if len(set(rounded)) == 1 else list(rounded)

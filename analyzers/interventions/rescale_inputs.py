"""Map pixels 0-255 to [-1, 1] in front of the first weights."""

from __future__ import annotations

from typing import ClassVar, Final

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import Insertion, NewLayer, insert
from analyzers.interventions.inputs import unscaled_exits
from analyzers.spec import ModelSpec

SCALE: Final = 1 / 127.5
OFFSET: Final = -1.0


class RescaleInputs(Intervention):
    """Put ``Rescaling(1/127.5, offset=-1)`` where unscaled pixels leave the preprocessing.

    That is right behind an image input, or behind the augmentation and resizing layers that follow it.
    Inputs that are scaled on every way to weights stay as they are.
    """

    id: ClassVar[str] = "rescale-inputs"
    invasiveness: ClassVar[int] = 2
    moves: ClassVar[tuple[Quantity, ...]] = ("input_scale",)

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        exits = unscaled_exits(spec, behind_scaling=False)
        if not exits:
            return None
        changed, added = insert(
            spec,
            {
                one.path: Insertion(
                    (
                        NewLayer(
                            "rescaling", "Rescaling", {"scale": SCALE, "offset": OFFSET, "dtype": one.dtype}
                        ),
                    ),
                    one.consumers,
                )
                for one in exits
            },
        )
        return Applied(
            changed,
            added,
            "Rescale the pixels from 0-255 to [-1, 1] in front of the first weights.",
            {"scale": SCALE, "offset": OFFSET},
        )

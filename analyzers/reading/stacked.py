"""An RNN over a stack of cells, as the Sequential of recurrent layers that computes the same.

Every cell sees the outputs of the one before at each step, which is what a layer for each cell does, all but
the last returning its whole sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from analyzers.reading.objects import class_name
from analyzers.reading.plain import sub_config
from analyzers.reading.signatures import CELLS
from analyzers.spec.model import Json

STACK: Final = "StackedRNNCells"
_KEPT: Final = ("stateful", "unroll", "dtype")


def spread(
    item: Mapping[str, Json], taken: Callable[[Mapping[str, Json]], list[Json] | None]
) -> dict[str, Json] | None:
    """The model that a serialized RNN stands for; None where it is no stack of Keras's own cells, or hands on states.

    Args:
        item: the layer.
        taken: the batch shape of what a recurrent layer takes.
    """
    outer = sub_config(item)
    stack = outer.get("cell")
    if class_name(item) != "RNN" or not isinstance(stack, dict) or class_name(stack) != STACK:
        return None
    shape = taken(item)
    if shape is None:
        return None
    listed = sub_config(stack).get("cells")
    cells = [cell for cell in listed if isinstance(cell, dict)] if isinstance(listed, list) else []
    if not cells or any(class_name(cell) not in CELLS or class_name(cell) == STACK for cell in cells):
        return None
    if outer.get("return_state") is True:
        return None
    layers: list[Json] = [
        {"class_name": "InputLayer", "config": {"name": "steps", "batch_shape": list(shape)}}
    ]
    for number, cell in enumerate(cells):
        last = number == len(cells) - 1
        config: dict[str, Json] = {
            **{key: outer[key] for key in _KEPT if key in outer},
            "name": f"cell_{number}",
            "cell": cell,
            "return_sequences": outer.get("return_sequences") is True if last else True,
            "go_backwards": outer.get("go_backwards") is True and number == 0,
        }
        layers.append({"class_name": "RNN", "config": config})
    kept: dict[str, Json] = {key: outer[key] for key in ("name", "trainable") if key in outer}
    return {"class_name": "Sequential", "config": {**kept, "layers": layers}}

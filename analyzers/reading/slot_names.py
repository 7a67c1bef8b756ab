"""The names of optimizer arrays: which slot of which weight one says that it is.

Every Keras since 2.4 writes both into the name, each in its own way: ``Adam/dense/kernel/m:0``,
``Adam/m/dense/kernel:0``, ``adam/dense_kernel_momentum``.
"""

from __future__ import annotations

import re
from typing import Final

LABELS: Final[dict[str, str]] = {
    "m": "momentum",
    "v": "velocity",
    "vhat": "velocity_hat",
    "v_hat": "velocity_hat",
    "rms": "velocity",
    "mg": "average_gradient",
    "accum_grad": "accumulated_grad",
    "accum_var": "accumulated_delta_var",
    **{name: name for name in ("momentum", "velocity", "velocity_hat", "average_gradient", "accumulator", "linear",
                               "norm", "accumulated_grad", "accumulated_delta_var", "average",
                               "gradient_accumulator")},
}  # fmt: skip
"""A slot's label in a variable's name -> its name in Keras 3."""

_GRAPH: Final = re.compile(r"^training(_\d+)?/")
"""What tf.keras put before the optimizer's own name while it had no eager mode."""


def label(name: str) -> str:
    """The slot that a saved variable's name says, empty where it says none."""
    return _told(name)[0]


def owner(name: str) -> str:
    """The weight that a slot's name says, as :func:`flat` gives it; empty where it says none."""
    return _told(name)[1]


def flat(name: str) -> str:
    """A weight's name as the names of its slots contain it."""
    return name.partition(":")[0].replace("/", "_")


def _told(name: str) -> tuple[str, str]:
    parts = _GRAPH.sub("", name).partition(":")[0].split("/")
    last = re.sub(r"_\d+$", "", parts[-1])
    if last in LABELS:
        return LABELS[last], "_".join(parts[1:-1])
    if len(parts) > 2 and parts[1] in LABELS:
        return LABELS[parts[1]], "_".join(parts[2:])
    slots = sorted(set(LABELS.values()), key=len, reverse=True)
    found = next((slot for slot in slots if last.endswith(f"_{slot}")), "")
    return found, "_".join(parts[1:]).removesuffix(f"_{found}") if found else ""

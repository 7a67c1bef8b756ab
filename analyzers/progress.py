"""What a running diagnosis says about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["reading", "rules", "building", "probing", "fixing", "proving", "reporting"]


@dataclass(frozen=True)
class Progress:
    """One event.

    Attributes:
        stage: where the diagnosis is.
        fraction: how much of the planned work is done, 0 to 1, never falling.
        message: one line for a person.
        step: optimisation steps taken so far over all runs of the diagnosis.
        loss: data loss of the latest step.
    """

    stage: Stage
    fraction: float
    message: str
    step: int | None = None
    loss: float | None = None


ProgressCallback = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Discard progress."""

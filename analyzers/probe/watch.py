"""Counts steps, tells progress, and ends the probe at its hard deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

from analyzers.progress import Progress, ProgressCallback, Stage


class OutOfTimeError(Exception):
    """The hard deadline has passed; what was measured so far stands."""


class Watch:
    """The clock and the counter of one diagnosis.

    Args:
        progress: told about every few steps.
        deadline_s: seconds from now after which `tick` raises.
        total_steps: steps that the plan expects at most; the fraction told is of these.
        proof_steps: of these, what is kept for the proof of a cure.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        progress: ProgressCallback,
        deadline_s: float,
        total_steps: int,
        proof_steps: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress, self._clock = progress, clock
        self._deadline, self._granted = clock() + deadline_s, 0.0
        self._total, self._kept, self._told = total_steps, proof_steps, -1.0
        self.steps = 0
        self.stage: Stage = "probing"
        self.message = ""

    def grant(self, seconds: float) -> None:
        """Move the deadline, once however often it is asked: a cure that was found deserves its proof."""
        self._deadline += seconds - self._granted
        self._granted = seconds

    @property
    def remaining_steps(self) -> int:
        """Steps that the plan still allows."""
        return max(self._total - self.steps, 0)

    @property
    def can_spare(self) -> bool:
        """Whether the plan has steps beyond those that a proof will take."""
        return self.remaining_steps > self._kept

    def begin(self, stage: Stage, message: str, *, needs_s: float = 0.0) -> None:
        """Name what comes next.

        Args:
            stage: where the diagnosis is.
            message: for a person.
            needs_s: seconds that it takes before its first tick, by what the like took before.

        Raises:
            OutOfTimeError: the deadline has passed, or will have by the first tick.
        """
        self.stage, self.message, self._told = stage, message, -1.0
        if self._clock() + needs_s > self._deadline:
            raise OutOfTimeError
        self.tick(count=0)

    def tick(self, loss: float | None = None, count: int = 1) -> None:
        """Count a step and tell about it, at most about five times a second.

        Raises:
            OutOfTimeError: the deadline has passed.
        """
        self.steps += count
        now = self._clock()
        if now > self._deadline:
            raise OutOfTimeError
        if now - self._told >= 0.2 or count == 0:
            self._told = now
            fraction = min(0.1 + 0.88 * self.steps / self._total, 0.98)
            self._progress(Progress(self.stage, fraction, self.message, self.steps, loss))

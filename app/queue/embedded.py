"""The queue of a service on one machine: the rows of the job table, looked at often."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.jobs.lanes import Lane

POLL_S = 0.05
"""Seconds between two looks: well under what a person notices, and 0.1 ms of work each."""


class EmbeddedQueue:
    """The waiting rows are the queue, so announcing a job needs nothing more than its row.

    Args:
        next_waiting: the id of the job to run next in a lane, if any.
    """

    def __init__(self, next_waiting: Callable[[Lane], str | None]) -> None:
        self._next_waiting = next_waiting

    def put(self, job_id: str, lane: Lane) -> None:
        """Do nothing: the committed row is the announcement."""

    def reachable(self) -> bool:
        """Always: the database is asked about elsewhere."""
        return True

    def get(self, lane: Lane, timeout_s: float) -> str | None:
        """The job to run next; None when none came in time."""
        end = time.monotonic() + timeout_s
        while (job_id := self._next_waiting(lane)) is None and time.monotonic() < end:
            time.sleep(POLL_S)
        return job_id

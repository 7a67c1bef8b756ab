"""The port: job ids travel, the job table stays the queue of record.

An id is a hint that there is work in a lane.  It may arrive more than once or not at all: whoever gets
it runs whatever the table says is next, claiming the row decides who runs a job, and what waits without
being taken is announced again.
"""

from __future__ import annotations

from typing import Protocol

from app.jobs.lanes import Lane


class JobQueue(Protocol):
    """Tells workers that a job waits."""

    def put(self, job_id: str, lane: Lane) -> None:
        """Announce a job whose row is committed; never fails, for the announcement is repeated."""

    def reachable(self) -> bool:
        """Whether an announcement would arrive now."""

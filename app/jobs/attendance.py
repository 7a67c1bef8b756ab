"""Which workers are there, told without trusting their wall clocks."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from app.jobs.reaping import Ages
from app.store.tables import Worker
from app.store.workers import WorkerStore


@dataclass(frozen=True)
class Attending:
    """A worker, and for how many seconds it has given no new sign of life."""

    worker: Worker
    silent_s: float


class Attendance:
    """Listens for signs of life, each of which is new when it differs from the one before.

    Seconds are counted on this process's monotonic clock from when a sign was first seen, so it is to be asked
    often.  Only at the first look at a worker its wall clock has to be believed.

    Args:
        workers: what they say of themselves.
    """

    def __init__(self, workers: WorkerStore) -> None:
        self._workers = workers
        self._ages: Ages[tuple[str, float]] = Ages()
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def look(self) -> list[Attending]:
        """Every worker of the last day, in the order of their names."""
        rows = self._workers.every()
        with self._lock:
            first = {_sign(row): 0.0 if row.id in self._known else _told_age_s(row) for row in rows}
            ages = self._ages.look(first, time.monotonic())
            self._known = {row.id for row in rows}
            return [Attending(row, ages[_sign(row)]) for row in rows]


def _sign(worker: Worker) -> tuple[str, float]:
    return worker.id, worker.heartbeat_at


def _told_age_s(worker: Worker) -> float:
    """How old a worker's sign is if its clock is right."""
    return max(0.0, time.time() - worker.heartbeat_at)

"""Which workers are there, told without trusting their wall clocks."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

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
        self._heard: dict[str, tuple[float, float]] = {}  # worker -> its latest sign, when that was new
        self._lock = threading.Lock()

    def look(self) -> list[Attending]:
        """Every worker of the last day, in the order of their names."""
        rows = self._workers.every()
        with self._lock:
            now = time.monotonic()
            self._heard = {row.id: self._hear(row, now) for row in rows}
            return [Attending(row, now - self._heard[row.id][1]) for row in rows]

    def _hear(self, worker: Worker, now: float) -> tuple[float, float]:
        known = self._heard.get(worker.id)
        if known is None:
            return worker.heartbeat_at, now - max(0.0, time.time() - worker.heartbeat_at)
        return known if known[0] == worker.heartbeat_at else (worker.heartbeat_at, now)

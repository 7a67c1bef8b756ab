"""What keeps the jobs moving and the house clean; runs beside every web server, harmless in many copies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

import structlog

from app.failures import log_failure
from app.jobs.attendance import Attendance
from app.jobs.clock import WallClock
from app.jobs.reaping import Watchman
from app.queue import JobQueue
from app.settings import Settings
from app.store import Store
from app.webhooks.courier import Courier
from app.webhooks.sender import Sender

TICK_S: Final = 1.0
_SWEEP_S: Final = 60.0
_DAY_S: Final = 24 * 3600.0
_ORPHAN_S: Final = 3600.0
_ANNOUNCE_S: Final = 10.0
"""Seconds after which a job that nobody took is announced again; twice as long each time."""

_log = structlog.get_logger()


class Housekeeper:
    """Reaps, announces, sweeps and delivers, each in its turn; use it in a ``with`` block.

    Args:
        settings: the service's.
        store: the jobs.
        queue: where waiting jobs are announced.
        sender: delivers webhooks.
        attendance: of the workers, which is to be asked often.
    """

    def __init__(
        self, settings: Settings, store: Store, queue: JobQueue, sender: Sender, attendance: Attendance
    ) -> None:
        self._settings = settings
        self._store = store
        self._queue = queue
        self._attendance = attendance
        self._watchman = Watchman()
        self._announced: dict[
            str, tuple[float, float]
        ] = {}  # job -> when to announce it again, after how long
        self._swept_at = -_SWEEP_S
        self._clock = WallClock()
        self._stopping = threading.Event()
        self._courier = Courier(store.deliveries, sender, self._stopping)
        self._threads = [
            threading.Thread(target=self._repeat, args=(step,), name=step.__name__, daemon=True)
            for step in (self.tick, self._courier.deliver)
        ]

    def __enter__(self) -> Housekeeper:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=TICK_S + 1)

    def _repeat(self, step: Callable[[], None]) -> None:
        while not self._stopping.wait(TICK_S):
            try:
                step()
            except Exception as error:
                self._watchman.forget()
                log_failure("housekeeping failed", error)

    def tick(self) -> None:
        """Listen to the workers, take jobs from silent ones, announce what waits, and sweep once a minute."""
        self._attendance.look()
        for sign in self._watchman.silent(self._store.leases.signs(), time.monotonic()):
            if self._store.leases.take_from_silent(sign, self._settings.attempts):
                _log.warning("a worker fell silent", job=sign.job_id)
                self._announced[sign.job_id] = time.monotonic(), _ANNOUNCE_S
        self._announce()
        if time.monotonic() - self._swept_at >= _SWEEP_S:
            self._swept_at = time.monotonic()
            if self._clock.trusted():
                self._sweep()

    def _announce(self) -> None:
        """Announce what was taken from a silent worker, and what has waited long: its message may be lost."""
        now = time.monotonic()
        waiting = self._store.leases.waiting()
        known = self._announced
        self._announced = {}
        for job in waiting:
            due, pause = known.get(job.job_id, (now + _ANNOUNCE_S, 2 * _ANNOUNCE_S))
            if now >= due:
                self._queue.put(job.job_id, job.lane)
                due, pause = now + pause, 2 * pause
            self._announced[job.job_id] = due, pause

    def _sweep(self) -> None:
        retention_s = self._settings.retention_days * _DAY_S
        self._store.jobs.expire(retention_s)
        self._store.requests.expire(retention_s)
        self._store.workers.forget(_DAY_S)
        self._store.blobs.sweep_incoming(_DAY_S)
        self._store.files.sweep(self._store.database, _ORPHAN_S)

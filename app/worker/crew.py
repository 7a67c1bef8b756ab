"""A worker process: its lanes, its signs of life, and the jobs that it takes back when it starts anew."""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from app.failures import log_failure
from app.jobs.lanes import Lane
from app.queue import JobQueue
from app.settings import Settings
from app.store import Store
from app.worker import sandbox
from app.worker.gpus import Gpus
from app.worker.lane import LaneWorker

HEARTBEAT_S: Final = 2.0

_log = structlog.get_logger()


class Crew:
    """The lanes of one worker process; use it in a ``with`` block.

    Args:
        settings: the service's.
        store: the jobs.
        queue: where a job is announced that goes back.
        name: under which this worker is known, today as before it was started again.
        lanes: those that it serves.
    """

    def __init__(
        self, settings: Settings, store: Store, queue: JobQueue, *, name: str, lanes: Sequence[Lane]
    ) -> None:
        self._settings = settings
        self._store = store
        self._queue = queue
        self._name = name
        self._scratch = settings.data / "scratch" / name
        self.stopping = threading.Event()
        self.lanes = [
            LaneWorker(lane, settings, store, queue, name=name, scratch=self._scratch, stopping=self.stopping)
            for lane in lanes
        ]
        self._protection = sandbox.protection()
        self._gpus = Gpus()
        self._exits: Counter[str] = Counter()
        self._heart = threading.Thread(target=self._beat_on, name="heart", daemon=True)

    def __enter__(self) -> Crew:
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True, mode=0o700)
        if self._protection.missing:
            _log.warning("this kernel offers less than the whole sandbox", missing=self._protection.missing)
        if returned := self._store.leases.take_back(self._name, self._settings.attempts):
            _log.warning("jobs of a worker that was lost are run again", jobs=returned)
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._heart.join()
        for lane in self.lanes:
            lane.close()
        try:
            self._count_exits()
        except DBAPIError as failure:
            log_failure("ends of children were not counted", failure)

    def _beat_on(self) -> None:
        while True:
            try:
                self._beat()
            except Exception as error:
                log_failure("no sign of life could be given", error)
            if self.stopping.wait(HEARTBEAT_S):
                return

    def _beat(self) -> None:
        for lane in self.lanes:
            lane.keep()
        self._store.workers.beat(
            self._name,
            lanes=[lane.lane for lane in self.lanes],
            ready=all(lane.ready for lane in self.lanes),
            memory_bytes=family_bytes(os.getpid()),
            sandbox=self._protection.as_dict(),
            gpus=self._gpus.look(),
        )
        self._count_exits()

    def _count_exits(self) -> None:
        """Count why children have ended; what cannot be written now is kept for the next time."""
        for lane in self.lanes:
            self._exits += lane.exits()
        if self._exits:
            self._store.workers.count_exits(self._exits)
            self._exits.clear()


def family_bytes(ancestor: int) -> int:
    """Resident memory of a process and all its descendants, in bytes.

    Pages that a fork shares with its zygote count in each, so this is an upper bound.
    """
    families: dict[int, list[tuple[int, int]]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            families.setdefault(int(fields[1]), []).append((int(entry.name), int(fields[21])))
    pages = int(Path(f"/proc/{ancestor}/statm").read_text().split()[1])
    queue = [ancestor]
    while queue:
        for pid, resident in families.get(queue.pop(), []):
            pages += resident
            queue.append(pid)
    return pages * os.sysconf("SC_PAGE_SIZE")

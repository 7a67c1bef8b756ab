"""One lane of a worker: its zygotes, and one job at a time in their children."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import structlog

from app.jobs.execution import Executor
from app.jobs.lanes import Lane
from app.queue import JobQueue
from app.settings import Settings
from app.store import Store
from app.worker.diagnosis import Children

_log = structlog.get_logger()


class LaneWorker:
    """Executes the jobs of one lane.

    Args:
        lane: which.
        settings: the service's.
        store: the jobs.
        queue: where a job is announced that goes back.
        name: the worker's.
        scratch: a folder of the worker's own.
        stopping: set when the worker is being stopped.
    """

    def __init__(
        self,
        lane: Lane,
        settings: Settings,
        store: Store,
        queue: JobQueue,
        *,
        name: str,
        scratch: Path,
        stopping: threading.Event,
    ) -> None:
        self.lane = lane
        self._store = store
        self._children = Children(
            settings, lambda trace: _log.error("fault in a child or zygote", trace=trace), lane
        )
        self._executor = Executor(store, queue, self._children, scratch, settings, name, stopping)
        self._in_use = threading.Lock()
        """Whose turn it is to speak to the zygotes."""

    @property
    def ready(self) -> bool:
        """Whether it could start a job at once, or is running one."""
        return self._children.ready

    def execute(self, job_id: str) -> None:
        """Run a job to its end, unless somebody else has it or takes it."""
        with self._in_use:
            self._executor.execute(job_id)

    def execute_next(self) -> None:
        """Run the job that is next in this lane, if one waits."""
        job_id = self._store.leases.next_waiting(self.lane)
        if job_id is not None:
            self.execute(job_id)

    def keep(self) -> None:
        """Start zygotes that have ended; does nothing while a job runs."""
        if self._in_use.acquire(blocking=False):
            try:
                self._children.keep()
            finally:
                self._in_use.release()

    def exits(self) -> Counter[str]:
        """Why children have ended since this was last asked."""
        return self._children.exits()

    def close(self) -> None:
        """End the zygotes, and with them every child."""
        with self._in_use:
            self._children.close()

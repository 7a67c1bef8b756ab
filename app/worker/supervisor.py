"""The worker process of a service on one machine: one job at a time in each lane."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import structlog

from app import telemetry
from app.failures import log_failure
from app.jobs.lanes import LANES
from app.logs import configure
from app.queue.embedded import EmbeddedQueue
from app.settings import Settings
from app.store import open_store
from app.store.folder import FolderInUseError, own_name
from app.worker.crew import Crew
from app.worker.lane import LaneWorker

_PAUSE_S = 1.0
"""Seconds to wait after a failure that may last, such as a database that is away."""

_log = structlog.get_logger()


def run(crew: Crew, queue: EmbeddedQueue) -> None:
    """Take jobs from the queue and execute them until the crew is told to stop."""
    threads = [
        threading.Thread(target=_serve, args=(crew, queue, lane), name=lane.lane) for lane in crew.lanes
    ]
    with crew:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _serve(crew: Crew, queue: EmbeddedQueue, lane: LaneWorker) -> None:
    while not crew.stopping.is_set():
        try:
            job_id = queue.get(lane.lane, timeout_s=1.0)
            if job_id is not None and not crew.stopping.is_set():
                lane.execute(job_id)
        except Exception as error:
            log_failure("a job could not be run", error)
            crew.stopping.wait(_PAUSE_S)


def main() -> None:
    """Run the worker until standard input ends: that is how it notices that the service is gone."""
    configure()
    telemetry.configure("unstuck-worker")
    settings = Settings()
    store = open_store(settings)
    queue = EmbeddedQueue(store.leases.next_waiting)
    try:
        name = own_name(settings.data / "worker.lock")
    except FolderInUseError:
        _log.error("another service uses this data folder", data=str(settings.data))
        sys.exit(1)
    crew = Crew(settings, store, queue, name=name, lanes=LANES)
    threading.Thread(target=stop_at_end_of_input, args=(crew.stopping.set,), daemon=True).start()
    run(crew, queue)
    store.database.close()


def stop_at_end_of_input(stop: Callable[[], object]) -> None:
    """Call ``stop`` when whoever started this process is gone."""
    while os.read(0, 1024):
        pass
    stop()


if __name__ == "__main__":
    main()

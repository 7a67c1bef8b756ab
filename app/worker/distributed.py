"""A worker on any machine: one Celery process a lane, which runs the same jobs as the embedded worker.

Celery runs them on its only thread (``--pool=solo``: its other pools may have no children, and a child is
what a job runs in).  Run as ``python -m app.worker.distributed LANE`` by ``unstuck worker``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import structlog
from celery.signals import setup_logging, worker_shutting_down

from app import telemetry
from app.jobs.lanes import LANES, Lane
from app.logs import configure
from app.queue.distributed import TASK, CeleryQueue, broker, queue_of
from app.settings import Settings
from app.store import open_store
from app.store.folder import any_name
from app.worker.crew import Crew
from app.worker.supervisor import stop_at_end_of_input

_log = structlog.get_logger()


def run(lane: Lane, settings: Settings) -> None:
    """Serve a lane until the process is told to stop; the running job is then given back."""
    store = open_store(settings)
    name = any_name(settings.data, f"worker-{lane}")
    crew = Crew(settings, store, CeleryQueue(settings), name=name, lanes=[lane])
    app = broker(settings)

    @app.task(name=TASK)  # type: ignore[untyped-decorator]  # Celery has no types
    def execute(_job_id: str) -> None:
        """Run what is next: the id only says that something is."""
        if not crew.stopping.is_set():
            crew.lanes[0].execute_next()

    def stop(**_: Any) -> None:
        crew.stopping.set()

    worker_shutting_down.connect(stop, weak=False)
    setup_logging.connect(_keep_logging, weak=False)
    with crew:
        app.Worker(
            pool="solo",
            queues=[queue_of(settings, lane)],
            hostname=f"{name}@%h",
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            optimization="fair",
        ).start()
    store.database.close()


def _keep_logging(**_: Any) -> None:
    """Somebody who listens to this signal keeps Celery from setting up logging in its own way."""


def main() -> None:
    """Run the worker until it is told to stop, or standard input ends."""
    configure()
    telemetry.configure("unstuck-worker")
    (lane,) = (known for known in LANES if known == sys.argv[1])
    threading.Thread(
        target=stop_at_end_of_input, args=(lambda: os.kill(os.getpid(), signal.SIGTERM),), daemon=True
    ).start()
    run(lane, Settings())


if __name__ == "__main__":
    main()

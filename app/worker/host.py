"""``unstuck worker``: the lanes of this machine, each a Celery process that is started again when it ends."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Final

from app.jobs.lanes import LANES, Lane
from app.logs import configure
from app.settings import Settings
from app.worker.keeping import KeptProcess
from app.worker.sandbox import require

LANE: Final = "app.worker.distributed"


class NoBrokerError(Exception):
    """There is nothing to take jobs from; the message says what to set."""


def work(settings: Settings, lanes: Sequence[Lane] = LANES, *, module: str = LANE) -> None:
    """Run the jobs of these lanes until the process is told to stop.

    Args:
        settings: the service's: the same database, broker and blobs as its web server's.
        lanes: those that this machine serves.
        module: what a lane's process runs.

    Raises:
        NoBrokerError: the settings name no broker.
        app.worker.sandbox.WeakSandboxError: the kernel offers too little of a sandbox, or the data lie where every child may read.
    """
    configure()
    if not settings.broker_url:
        raise NoBrokerError("Set UNSTUCK_BROKER_URL to the broker that the web server announces jobs on.")
    require(allow_weak=settings.allow_weak_sandbox, whole=settings.require_sandbox, data=settings.data)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    told: SimpleQueue[int] = SimpleQueue()  # which a signal may interrupt while it is being waited for
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.put(number))
    processes = [KeptProcess(settings, [module, lane]) for lane in lanes]
    told.get()
    for process in processes:
        process.stop()

"""Whether this machine's worker has given a sign of life of late: ``python -m app.worker.alive``, for health checks.

Every lane that was ever started on this data folder must have; a process that hangs, or that is not started again,
gives none.
"""

from __future__ import annotations

import sys
import time
from typing import Final

from app.jobs.lanes import LANES
from app.settings import Settings
from app.store import Store, open_store

SILENT_S: Final = 30.0
"""Seconds without a sign of life after which a worker counts as hung: twice the lease."""


def alive(settings: Settings, store: Store) -> bool:
    """Whether each lane of this data folder has a worker that was heard of within the last half minute.

    Args:
        settings: the worker's: its data folder holds its names.
        store: where workers say that they live.
    """
    since = time.time() - SILENT_S
    heard = {worker.id for worker in store.workers.every() if worker.heartbeat_at > since}
    lanes = [
        {path.read_text("utf-8") for path in settings.data.glob(f"worker-{lane}-*.lock")} for lane in LANES
    ]
    started = [names for names in lanes if names]
    return bool(started) and all(names & heard for names in started)


def main() -> int:
    """The exit code that a health check looks at."""
    settings = Settings()
    store = open_store(settings)
    found = alive(settings, store)
    store.database.close()
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())

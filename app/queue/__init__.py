"""How job ids reach workers: a port, an embedded implementation on the job table, and one on Celery."""

from __future__ import annotations

from app.queue.embedded import EmbeddedQueue
from app.queue.port import JobQueue
from app.settings import Settings
from app.store import Store

__all__ = ["JobQueue", "open_queue"]


def open_queue(settings: Settings, store: Store) -> JobQueue:
    """The queue that the settings name."""
    if not settings.broker_url:
        return EmbeddedQueue(store.leases.next_waiting)
    from app.queue.distributed import CeleryQueue  # noqa: PLC0415 - Celery is an extra

    return CeleryQueue(settings)

"""The queue of a service on many machines: Celery on Redis or RabbitMQ, carrying job ids and nothing else.

Messages are acknowledged when their job has ended, and a worker holds one at a time.  A message that is
lost, and one that a broker keeps for a dead worker, is made good by the service, which announces again
what nobody takes.  Heartbeats of AMQP are off, because a worker that runs one job at a time on its only
thread cannot send them; TCP keep-alive and the job's lease take their place.
"""

from __future__ import annotations

import socket
from typing import Any, Final

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from app.jobs.lanes import LANES, Lane
from app.settings import Settings

TASK: Final = "unstuck.run"
_VISIBILITY_S: Final = 3600
"""Redis gives a message to another worker after this; longer than any job may run."""
_SOCKET_S: Final = 5
_KEEPALIVE: Final = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}

_log = structlog.get_logger()


def queue_of(settings: Settings, lane: Lane) -> str:
    """The broker's name of a lane's queue."""
    return f"{settings.queue_name}.{lane}"


def broker(settings: Settings) -> Celery:
    """A Celery application on the broker that the settings name."""
    app = Celery("unstuck", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_heartbeat=0,
        broker_transport_options=_transport(settings.broker_url),
        task_acks_late=True,
        task_create_missing_queues=True,
        task_default_queue=queue_of(settings, LANES[0]),
        task_ignore_result=True,
        task_reject_on_worker_lost=True,
        task_serializer="json",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
    )
    return app


def _transport(url: str) -> dict[str, Any]:
    if url.startswith("redis"):
        return {
            "visibility_timeout": _VISIBILITY_S,
            "socket_timeout": _SOCKET_S,
            "socket_connect_timeout": _SOCKET_S,
            "socket_keepalive": True,
        }
    return {"connect_timeout": _SOCKET_S, "socket_settings": _KEEPALIVE}


class CeleryQueue:
    """Announces jobs through a broker.

    Args:
        settings: which broker, and what its queues are called.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app = broker(settings)

    def put(self, job_id: str, lane: Lane) -> None:
        """Announce a job; where the broker does not answer, the next announcement will do."""
        try:
            self._app.send_task(TASK, args=[job_id], queue=queue_of(self._settings, lane), retry=False)
        except (OperationalError, OSError) as error:
            _log.warning("the broker does not answer", error=str(error))

    def reachable(self) -> bool:
        """Whether the broker takes a connection."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=_SOCKET_S)
        except (OperationalError, OSError):
            return False
        return True

"""Liveness and readiness."""

from __future__ import annotations

import time
from typing import Final

from fastapi import APIRouter, Response
from sqlalchemy.exc import DBAPIError

from app.api import models
from app.api.dependencies import QueueOf, StoreOf
from app.jobs.lanes import LANES

router = APIRouter(tags=["health"])

_WORKER_SILENCE_S: Final = 15.0


@router.get("/healthz")
def healthz() -> models.Health:
    """The web process answers."""
    return models.Health(status="ok")


@router.get(
    "/readyz",
    response_model=models.Ready,
    responses={503: {"model": models.Ready, "description": "A job sent now would not be run at once."}},
)
def readyz(store: StoreOf, queue: QueueOf, response: Response) -> models.Ready:
    """Whether a job sent now would be run: everything answers, and each lane has a worker with warm children."""
    try:
        workers = store.workers.alive(_WORKER_SILENCE_S)
        database = True
    except DBAPIError:
        workers, database = [], False
    lanes = {lane: any(worker.ready and lane in worker.lanes for worker in workers) for lane in LANES}
    blobs = store.blobs.reachable()
    reachable = queue.reachable()
    ready = database and blobs and reachable and all(lanes.values())
    if not ready:
        response.status_code = 503
    return models.Ready(
        status="ready" if ready else "not ready",
        database=database,
        blobs=blobs,
        queue=reachable,
        worker=bool(workers),
        lanes=lanes,
        last_heartbeat_s=min(
            (round(time.time() - worker.heartbeat_at, 1) for worker in workers), default=None
        ),
        free_bytes=store.blobs.free_bytes,
        sandbox=workers[0].sandbox if workers else None,
    )

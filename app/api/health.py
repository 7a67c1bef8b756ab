"""Liveness and readiness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Response
from sqlalchemy.exc import DBAPIError

from app.api import models
from app.api.dependencies import AttendanceOf, QueueOf, StoreOf
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
def readyz(store: StoreOf, queue: QueueOf, attendance: AttendanceOf, response: Response) -> models.Ready:
    """Whether a job sent now would be run: everything answers, and each lane has a worker with warm children."""
    try:
        attending = attendance.look()
        database = True
    except DBAPIError:
        attending, database = [], False
    workers = [each.worker for each in attending if each.silent_s <= _WORKER_SILENCE_S]
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
        last_heartbeat_s=min((round(each.silent_s, 1) for each in attending), default=None),
        free_bytes=store.blobs.free_bytes,
        sandbox=_least([worker.sandbox for worker in workers]),
    )


def _least(protections: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """What protects the machine of every worker: of each feature the least, and weak where one is."""
    if not protections:
        return None
    least = {name: min(each[name] for each in protections) for name in protections[0]}
    return least | {"weak": any(each["weak"] for each in protections)}

"""The routes of diagnoses: send a model, follow it, fetch what came out, erase it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from analyzers.options import Options
from analyzers.report import Report
from app.api import cursors, models, options, problems, uploads
from app.api.access import JobOf, Reader, Writer
from app.api.ascii import AsciiJSONResponse
from app.api.dependencies import FollowingOf, QueueOf, SettingsOf, StoreOf
from app.api.following import Following
from app.api.negotiation import media_type, wanted
from app.api.submission import Wanted, submit
from app.errors import Problem, ProblemDocument
from app.jobs.states import ENDED, Status
from app.reports import formats
from app.store import Store
from app.store.blobs import whole
from app.store.jobs import Cursor, Filters
from app.store.tables import Job

router = APIRouter(prefix="/v1/diagnoses", tags=["diagnoses"])

_LIST_MAX: Final = 100

_CALLERS: Final = ("key-missing", "key-invalid")
_READERS: Final = (*_CALLERS, "scope-missing", "too-many-requests")

_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [uploads.FILE_FIELD],
                    "properties": {
                        uploads.FILE_FIELD: {
                            "type": "string",
                            "format": "binary",
                            "description": "The model, as model.save() wrote it (.keras or .h5).",
                        },
                        **Options.model_json_schema()["properties"],
                        "target_range": {
                            "type": "string",
                            "description": "Lowest and highest target of a model that predicts numbers: LOW,HIGH.",
                        },
                        "ignore": {"type": "string", "description": "Rule ids, separated by commas."},
                        options.CALLBACK_FIELD: {
                            "type": "string",
                            "format": "uri",
                            "description": "Where a signed message is sent when the diagnosis has ended.",
                        },
                    },
                }
            }
        },
    }
}


@router.post(
    "",
    status_code=202,
    response_model=models.Accepted,
    responses={
        200: {"model": Report, "description": "The report, where it was done within `wait` seconds."},
        202: {"headers": {"Location": {"schema": {"type": "string"}}}},
        **problems.responses(
            "bad-form", "upload-too-large", "not-multipart", "not-a-model", "invalid-options", "file-missing",
            "invalid-request", "idempotency-mismatch", "idempotency-in-progress", "upload-timeout",
            "quota-exceeded", "too-many-requests", "diagnosis-failed", "queue-full", "storage-full",
            *_CALLERS, "scope-missing", "csrf-token-invalid",
        ),
    },
    openapi_extra=_FORM,
)  # fmt: skip
async def create_diagnosis(  # noqa: PLR0917 - FastAPI passes them by name
    request: Request,
    caller: Writer,
    store: StoreOf,
    queue: QueueOf,
    following: FollowingOf,
    settings: SettingsOf,
    wait: Annotated[
        float, Query(ge=0, allow_inf_nan=False, description="Seconds to wait for the report.")
    ] = 0,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1, max_length=255, description="Sent again with it, a request makes no second job."
        ),
    ] = None,
    cache_control: Annotated[
        str, Header(description="`no-cache`: diagnose anew although a report on this file is stored.")
    ] = "",
) -> Response:
    """Send a model file; its diagnosis starts as soon as a worker is free.

    With `wait` the answer is the report itself if it is done in time, and the problem if the file
    cannot be used.
    """
    request.app.state.rates.spend("uploads", caller.owner)
    wanted_by = Wanted(
        owner=caller.owner,
        interactive=wait > 0 or caller.session is not None,
        reuse="no-cache" not in cache_control,
        idempotency_key=idempotency_key,
    )
    job = await submit(request, wanted_by, store, settings)
    if job.status == "queued":
        await run_in_threadpool(queue.put, job.id, job.lane)
    location = {"Location": f"/v1/diagnoses/{job.id}"}
    if wait > 0:
        ended = await _ended(store, following, job.id, min(wait, settings.wait_s))
        if ended is not None:
            return _answer(ended, location)
    accepted = models.Accepted(id=job.id, status=job.status, links=models.links(job.id))
    return AsciiJSONResponse(accepted.model_dump(), status_code=202, headers=location)


async def _ended(store: Store, following: Following, job_id: str, wait_s: float) -> Job | None:
    """The job once it has ended; None when that takes longer than ``wait_s`` seconds."""
    try:
        async with asyncio.timeout(wait_s):
            watched = await following.moved(job_id, None)
            while watched is not None and watched.status not in ENDED:
                watched = await following.moved(job_id, watched)
    except TimeoutError:
        return None
    return await run_in_threadpool(store.jobs.get, job_id)


def _answer(job: Job, headers: dict[str, str]) -> Response:
    if job.error is not None:
        problem = problems.stored(job.error)
        problem.headers.update(headers)
        return problems.response(problem)
    return Response(_report_text(job), media_type="application/json", headers=headers)


@router.get(
    "",
    response_model=models.DiagnosisList,
    responses=problems.responses("invalid-request", *_READERS),
)
def list_diagnoses(  # noqa: PLR0917 - FastAPI passes them by name
    request: Request,
    caller: Reader,
    store: StoreOf,
    limit: Annotated[int, Query(ge=1, le=_LIST_MAX)] = 20,
    cursor: Annotated[
        str | None, Query(max_length=200, description="From `next` of the page before.")
    ] = None,
    status: Annotated[Status | None, Query()] = None,
    sha256: Annotated[str | None, Query(max_length=64)] = None,
    file_name: Annotated[str | None, Query(max_length=255)] = None,
) -> dict[str, Any]:
    """The caller's diagnoses, the newest first, without their reports; those that match every filter."""
    filters = Filters(caller.owner, status, sha256, file_name)
    after = None if cursor is None else cursors.read(cursor)
    found = store.jobs.newest(filters, limit + 1, after)
    page = found[:limit]
    following = None
    if len(found) > limit:
        last = cursors.write(Cursor(page[-1].created_at, page[-1].id))
        following = str(request.url.include_query_params(cursor=last).replace(scheme="", netloc=""))
    return {"diagnoses": [models.summary_fields(job, request) for job in page], "next": following}


@router.get(
    "/{job_id}",
    response_model=models.Diagnosis,
    responses=problems.responses(*_READERS, "diagnosis-not-found"),
)
def get_diagnosis(request: Request, job: JobOf) -> dict[str, Any]:
    """Where a diagnosis is, with its report once there is one."""
    report = None if job.report is None else json.loads(job.report)
    return models.summary_fields(job, request) | {"report": report}


@router.get(
    "/{job_id}/report",
    response_class=Response,
    responses={
        200: {
            "model": Report,
            "content": {media: {"schema": {"type": "string"}} for media in formats.MEDIA_TYPES.values()}
            | {"application/json": {"schema": {"$ref": "#/components/schemas/Report"}}},
            "description": "The report in the format that `format` or `Accept` names; JSON where neither does.",
        },
        **problems.responses(
            *_READERS, "diagnosis-not-found", "not-acceptable", "report-not-ready", "no-report"
        ),
    },
)
def get_report(
    request: Request,
    job: JobOf,
    format: Annotated[formats.Format | None, Query()] = None,  # noqa: A002 - the name in the address
) -> Response:
    """The report alone."""
    chosen = format or wanted(request.headers.get("accept", ""))
    text = _report_text(job)
    if chosen != "json":
        text = formats.render(Report.model_validate_json(text), chosen)
    return Response(text, media_type=media_type(chosen), headers={"Vary": "Accept"})


def _report_text(job: Job) -> str:
    if job.report is not None:
        return job.report
    raise Problem("no-report" if job.status in ENDED else "report-not-ready")


@router.get(
    "/{job_id}/events",
    response_class=EventSourceResponse,
    responses=problems.responses(*_READERS, "diagnosis-not-found", "invalid-request"),
)
async def get_events(
    job: JobOf, store: StoreOf, following: FollowingOf, last_event_id: Annotated[int, Header(ge=0)] = 0
) -> AsyncIterator[ServerSentEvent]:
    """Follow a diagnosis: `progress` events (stage, fraction, message, step, loss), then one `done` (status).

    Past events come first; `Last-Event-ID` skips those that were seen.
    """
    seen, watched = last_event_id, None
    while True:
        watched = await following.moved(job.id, watched)
        if watched is not None and watched.last_event > seen:
            for event in await run_in_threadpool(store.jobs.events, job.id, seen):
                seen = event.number
                data = models.ProgressModel.model_validate(event.data)
                yield ServerSentEvent(event="progress", id=str(seen), data=data)
        if watched is None or watched.status in ENDED:
            yield ServerSentEvent(
                event="done", id=str(seen + 1), data=await run_in_threadpool(_done, store, job.id)
            )
            return


def _done(store: Store, job_id: str) -> models.Done:
    try:
        job = store.jobs.get(job_id)
    except Problem:
        return models.Done(status="cancelled")
    error = None if job.error is None else ProblemDocument.model_validate(job.error)
    return models.Done.model_validate({"status": job.status, "error": error})


@router.get(
    "/{job_id}/repaired-model",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The repaired model, to be loaded by `keras.models.load_model`.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems.responses(
            *_READERS, "diagnosis-not-found", "no-repaired-model", "report-not-ready", "stored-file-damaged"
        ),
    },
)
def get_repaired_model(job: JobOf, store: StoreOf) -> Response:
    """Download the repaired model as a `.keras` file."""
    if job.status not in ENDED:
        raise Problem("report-not-ready")
    if job.repaired_sha256 is None:
        raise Problem("no-repaired-model")
    name, kind = f"repaired-{job.id}.keras", "application/octet-stream"
    path = store.blobs.local(job.repaired_sha256)
    if path is not None:
        if not store.blobs.intact(job.repaired_sha256):
            raise Problem("stored-file-damaged")
        return FileResponse(path, media_type=kind, filename=name)
    try:
        size, chunks = store.blobs.read(job.repaired_sha256)
    except FileNotFoundError as error:
        raise Problem("stored-file-damaged") from error
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(size)}
    return StreamingResponse(whole(chunks, job.repaired_sha256), media_type=kind, headers=headers)


@router.get(
    "/{job_id}/deliveries",
    response_model=models.DeliveryList,
    responses=problems.responses(*_READERS, "diagnosis-not-found"),
)
def list_deliveries(job: JobOf, store: StoreOf) -> dict[str, Any]:
    """The webhook messages about a diagnosis, and how their delivery goes."""
    return {
        "deliveries": [
            {
                "id": delivery.id,
                "status": delivery.status,
                "attempts": delivery.attempts,
                "created_at": models.moment(delivery.created_at),
                "next_at": models.moment(delivery.next_at if delivery.status == "pending" else None),
                "answer": delivery.answer,
            }
            for delivery in store.deliveries.of_job(job.id)
        ]
    }


@router.delete(
    "/{job_id}",
    status_code=204,
    responses=problems.responses(*_READERS, "csrf-token-invalid", "diagnosis-not-found"),
)
def delete_diagnosis(job_id: str, caller: Writer, store: StoreOf) -> Response:
    """Stop a diagnosis that runs, and erase it: the model file, the report, everything."""
    store.jobs.erase(job_id, caller.owner)
    return Response(status_code=204)

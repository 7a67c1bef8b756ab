"""The real pages on canned answers of the API, to see every state without a diagnosis behind it.

A diagnosis' id says what it is: a verdict of `factory`, with ``hostile-`` in front for hostile names;
``regression`` for a model of numbers;
``running`` for one that reports progress and then, unless it is held, has the stuck report; ``queued``, ``failed``, ``cancelled``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, get_args

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from analyzers.progress import Stage
from analyzers.report import Report, Verdict
from app.reports import formats
from app.web import pages
from tests.reports import factory

PROBLEM = {
    "type": "urn:unstuck:problem:pytorch-file",
    "title": "This is a PyTorch file. unstuck reads Keras models: rebuild the network in Keras and save it "
    "with model.save('model.keras').",
    "status": 422,
    "code": "pytorch-file",
    "kind": "input",
    "detail": "zip archive with archive/data.pkl",
    "errors": None,
}
NOT_FOUND = PROBLEM | {
    "title": "There is no diagnosis of this id. It may have been deleted, or its retention time is over.",
    "code": "diagnosis-not-found",
    "status": 404,
    "detail": None,
}
REFUSED = PROBLEM | {
    "title": "The options are not valid. `errors` says which fields and why.",
    "code": "invalid-options",
    "detail": None,
    "errors": [{"field": "loss", "message": "is not a Keras loss"}],
}
UPLOAD_BYTES = 1_000_000
STATES = {"queued": "queued", "failed": "failed", "cancelled": "cancelled"}
NAMES = (
    *factory.VERDICTS,
    *(f"hostile-{verdict}" for verdict in factory.VERDICTS),
    "regression",
    "running",
    *STATES,
)


def report_of(name: str) -> Report:
    """The report behind an id."""
    if name == "regression":
        return factory.regression()
    verdict = name.removeprefix("hostile-")
    chosen: Verdict = next((one for one in factory.VERDICTS if one == verdict), "stuck")
    return factory.report(chosen, hostile=name != verdict, incomplete=name == "inconclusive")


def progress_events() -> Iterator[dict[str, Any]]:
    """What a running diagnosis says."""
    stages = get_args(Stage)
    for index, stage in enumerate(stages):
        for part in range(4):
            step = 4 * index + part
            trains = stage in ("probing", "fixing", "proving")
            yield {
                "stage": stage,
                "fraction": round(step / (4 * len(stages)), 3),
                "message": f"{stage.capitalize()}, part {part + 1} of 4",
                "step": 10 * step if trains else None,
                "loss": round(1.61 - 0.02 * step, 3) if trains else None,
            }


def summary(name: str, *, done: bool) -> dict[str, Any]:
    """A diagnosis as the API tells it."""
    status = STATES.get(name, "succeeded" if done else "running")
    return {
        "id": name,
        "status": status,
        "created_at": "2026-03-14T09:26:53.000+00:00",
        "expires_at": "2026-03-21T09:26:53.000+00:00",
        "file_name": factory.HOSTILE[1] if name.startswith("hostile") else "model.keras",
        "progress": {"stage": "reading", "fraction": 0.0, "message": "Reading the file"}
        if not done
        else None,
        "error": PROBLEM if name == "failed" else None,
    }


router = APIRouter(prefix="/v1")


@router.get("/limits")
def limits() -> dict[str, Any]:
    return {"upload_bytes": UPLOAD_BYTES, "retention_days": 7.0}


@router.get("/session")
def session() -> dict[str, Any]:
    return {"name": "", "scopes": ["read", "write"], "csrf_token": None}


@router.get("/diagnoses")
def listing() -> dict[str, Any]:
    return {"diagnoses": [summary(name, done=True) for name in ("stuck", "hostile-converges", "failed")]}


@router.post("/diagnoses", status_code=202)
async def create(request: Request) -> Response:
    async with request.form() as form:
        fields = {key: value if isinstance(value, str) else value.filename for key, value in form.items()}
    request.app.state.fields = fields
    if fields.get("loss") == "refused":
        return _problem(REFUSED)
    return JSONResponse({"id": "running", "status": "queued"}, status_code=202)


@router.get("/diagnoses/{name}")
def get(request: Request, name: str) -> Response:
    if name not in NAMES or name in request.app.state.deleted:
        return _problem(NOT_FOUND)
    return JSONResponse(summary(name, done=name in request.app.state.finished))


@router.delete("/diagnoses/{name}", status_code=204)
def delete(request: Request, name: str) -> Response:
    request.app.state.deleted.add(name)
    return Response(status_code=204)


@router.get("/diagnoses/{name}/report")
def report(name: str, format: formats.Format = "json") -> Response:  # noqa: A002 - the API's name
    return Response(formats.render(report_of(name), format), media_type=formats.MEDIA_TYPES[format])


@router.get("/diagnoses/{name}/repaired-model")
def repaired(name: str) -> Response:
    return Response(b"model", media_type="application/octet-stream")


@router.get("/diagnoses/{name}/events")
def events(request: Request, name: str) -> StreamingResponse:
    async def stream() -> AsyncIterator[str]:
        for event in progress_events():
            if name == "running":
                yield f"event: progress\ndata: {json.dumps(event)}\n\n"
            await asyncio.sleep(0.05)
        while request.app.state.held:
            await asyncio.sleep(0.05)
        if name == "running":
            request.app.state.finished.add(name)
            yield 'event: done\ndata: {"status": "succeeded"}\n\n'

    return StreamingResponse(stream(), media_type="text/event-stream")


def _problem(document: dict[str, Any]) -> Response:
    return JSONResponse(document, status_code=document["status"], media_type="application/problem+json")


def create_app() -> FastAPI:
    """The pages and the canned API."""
    app = FastAPI(openapi_url=None)
    app.include_router(pages.router)
    app.include_router(router)
    app.state.fields = {}
    app.state.finished = set(NAMES) - {"running", "queued"}
    app.state.deleted = set()
    app.state.held = False
    return app

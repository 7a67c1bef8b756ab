"""Every error of the web process becomes one problem document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path
from starlette.status import HTTP_405_METHOD_NOT_ALLOWED

from app.api.ascii import AsciiJSONResponse
from app.errors import CATALOGUE, PROBLEM_JSON, FieldError, Problem, ProblemDocument
from app.failures import log_failure
from app.store.blobs import BlobsAwayError
from app.store.files import storage_full

_BY_STATUS: Final = {
    400: "bad-request",
    401: "key-missing",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "upload-too-large",
    500: "internal-error",
}
"""Codes of what the framework itself refuses."""

_SCHEMA: Final = "#/components/schemas/ProblemDocument"


def response(problem: Problem) -> Response:
    """The answer that tells a problem."""
    return AsciiJSONResponse(
        problem.document(), status_code=problem.status, headers=problem.headers, media_type=PROBLEM_JSON
    )


def stored(document: dict[str, Any]) -> Problem:
    """The problem that a stored document tells."""
    known = ProblemDocument.model_validate(document)
    return Problem(known.code, known.detail, status=known.status, errors=known.errors)


def field_errors(errors: Sequence[Any]) -> list[FieldError]:
    """Pydantic's errors as fields and sentences, without the values that were sent."""
    return [
        FieldError(field=".".join(str(part) for part in error["loc"]) or "request", message=error["msg"])
        for error in errors
    ]


def invalid_options(error: ValidationError) -> Problem:
    """The problem of options that the diagnosis does not know or cannot use."""
    return Problem(
        "invalid-options", errors=field_errors(error.errors(include_url=False, include_input=False))
    )


def responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of the problems that a route may answer."""
    described: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        entry = CATALOGUE[code]
        line = f"`{code}`: {entry.title}"
        if entry.status in described:
            described[entry.status]["description"] += f"\n\n{line}"
        else:
            described[entry.status] = {
                "description": line,
                "content": {PROBLEM_JSON: {"schema": {"$ref": _SCHEMA}}},
            }
    return described


def _methods(app: FastAPI, path: str) -> set[str]:
    """The methods that an address of the API takes, over all routes of that address."""
    operations = (
        operations
        for template, operations in app.openapi()["paths"].items()
        if compile_path(template)[0].match(path)
    )
    return {method.upper() for methods in operations for method in methods}


def install(app: FastAPI) -> None:
    """Let ``app`` answer every error with a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> Response:
        return response(error)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = _BY_STATUS.get(error.status_code, "request-failed")
        headers = dict(error.headers or {})
        if error.status_code == HTTP_405_METHOD_NOT_ALLOWED and (methods := _methods(app, request.url.path)):
            headers["Allow"] = ", ".join(sorted(methods))
        return response(Problem(code, status=error.status_code, headers=headers))

    @app.exception_handler(RequestValidationError)
    async def _validation(_: Request, error: RequestValidationError) -> Response:
        return response(Problem("invalid-request", errors=field_errors(error.errors())))

    @app.exception_handler(ClientDisconnect)
    async def _gone(_: Request, _error: ClientDisconnect) -> Response:
        return response(Problem("bad-form"))  # nobody reads it; what was received is discarded already

    @app.exception_handler(DBAPIError)
    async def _database(_: Request, error: DBAPIError) -> Response:
        log_failure("a request failed", error)
        if "disk is full" in str(error.orig) or "No space left" in str(error.orig):
            return response(storage_full())
        return response(Problem("unavailable", headers={"Retry-After": "10"}))

    @app.exception_handler(BlobsAwayError)
    async def _files(_: Request, error: BlobsAwayError) -> Response:
        log_failure("a request failed", error)
        return response(Problem("unavailable", headers={"Retry-After": "10"}))

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, _error: Exception) -> Response:
        return response(Problem("internal-error"))

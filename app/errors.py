"""The one error catalogue: code -> HTTP status, kind, title and what to do next (RFC 9457).

Whatever goes wrong anywhere in the service is one `Problem`, with a ``code`` that never changes.
The codes of :mod:`analyzers.errors` are part of it, so a bad file has the same code everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from analyzers.errors import INPUT_ERRORS, InputError

Kind = Literal["request", "input", "internal"]
PROBLEM_JSON: Final = "application/problem+json"
_NOT_NOW: Final = frozenset({408, 409, 429})
"""Statuses under 500 that the same request may not get at another time."""


class Entry(NamedTuple):
    """One line of the catalogue."""

    status: int
    kind: Kind
    title: str


_SERVICE_ERRORS: Final[dict[str, Entry]] = {
    "invalid-request": Entry(422, "request", "The request is not valid. `errors` says which fields and why."),
    "invalid-options": Entry(
        422, "request", "The options are not valid. `errors` says which fields and why."
    ),
    "file-missing": Entry(
        422, "request", "Send the model as the form field `file` (curl -F file=@model.keras)."
    ),
    "bad-form": Entry(
        400, "request", "The multipart body is damaged. Send the request again with a common HTTP client."
    ),
    "not-multipart": Entry(
        415,
        "request",
        "Send multipart/form-data with the model as the form field `file` (curl -F file=@model.keras).",
    ),
    "upload-too-large": Entry(
        413, "request", "The upload is larger than the limit. GET /v1/limits tells it."
    ),
    "upload-timeout": Entry(
        408,
        "request",
        "The upload took too long, or paused for too long. Send it again on a better connection.",
    ),
    "storage-full": Entry(
        507,
        "request",
        "There is no room for another file. Try again later, or delete diagnoses that are done.",
    ),
    "bad-request": Entry(400, "request", "The request cannot be understood."),
    "key-missing": Entry(
        401, "request", "Send your API key as `Authorization: Bearer KEY`; `unstuck keys create` makes one."
    ),
    "key-invalid": Entry(
        401, "request", "This API key or session does not hold (any more). Use another key, or sign in again."
    ),
    "scope-missing": Entry(
        403, "request", "This API key does not allow that. `detail` names the scope it lacks."
    ),
    "csrf-token-invalid": Entry(
        403, "request", "Send the token of `GET /v1/session` as `X-CSRF-Token`; reloading the page does."
    ),
    "forbidden": Entry(403, "request", "This is not allowed."),
    "not-found": Entry(404, "request", "There is nothing at this address."),
    "diagnosis-not-found": Entry(
        404,
        "request",
        "There is no diagnosis of this id. It may have been deleted, or its retention time is over.",
    ),
    "rule-not-found": Entry(404, "request", "There is no rule of this id. GET /v1/rules lists them."),
    "no-repaired-model": Entry(
        404,
        "request",
        "This diagnosis has no repaired model: none was needed, or no change was shown to help.",
    ),
    "method-not-allowed": Entry(
        405, "request", "This address does not take this method. `Allow` names those it takes."
    ),
    "not-acceptable": Entry(
        406,
        "request",
        "The report is not available in this format. Ask for json, sarif, junit, markdown, text or html.",
    ),
    "report-not-ready": Entry(
        409, "request", "The diagnosis is not finished. Follow its events, or ask again later."
    ),
    "no-report": Entry(
        409, "request", "This diagnosis ended without a report. GET the diagnosis: `error` says why."
    ),
    "idempotency-in-progress": Entry(
        409, "request", "A request with this Idempotency-Key is still going on. Try again in a moment."
    ),
    "idempotency-mismatch": Entry(
        422,
        "request",
        "This Idempotency-Key was used for another file or other options. Use a new key for a new request.",
    ),
    "quota-exceeded": Entry(
        429,
        "request",
        "This API key has too many diagnoses waiting or running. Try again after `Retry-After` seconds.",
    ),
    "too-many-requests": Entry(
        429, "request", "Too many requests in too short a time. Try again after `Retry-After` seconds."
    ),
    "queue-full": Entry(
        503, "request", "Too many diagnoses are waiting. Try again after `Retry-After` seconds."
    ),
    "unavailable": Entry(
        503, "request", "The service is not complete at the moment. Try again after `Retry-After` seconds."
    ),
    "request-failed": Entry(400, "request", "The request cannot be answered."),
    "internal-error": Entry(
        500,
        "internal",
        "The service failed. Try again; if it happens again, report it with the time of the request.",
    ),
    "worker-lost": Entry(
        500,
        "internal",
        "The worker was lost on every attempt at this file. Try again with a smaller budget, or report it.",
    ),
    "stored-file-damaged": Entry(
        500, "internal", "The stored file is no longer what was sent. Send it again."
    ),
    "diagnosis-failed": Entry(
        500,
        "internal",
        "The diagnosis failed on our side. Ask for a report without training (probe=off), and report it.",
    ),
}

CATALOGUE: Final[Mapping[str, Entry]] = {
    **{code: Entry(422, "input", title) for code, title in INPUT_ERRORS.items()},
    **_SERVICE_ERRORS,
}
"""Code -> status, kind and sentence of every problem that the service can answer."""


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """A problem as RFC 9457 writes it, plus our stable ``code`` and ``kind``."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    code: str
    kind: Kind
    detail: str | None = None
    errors: list[FieldError] | None = None


class Problem(Exception):  # noqa: N818 - RFC 9457's word for it
    """Something went wrong, and the catalogue says what.

    Args:
        code: a key of `CATALOGUE`.
        detail: what was seen here; never a path of the server, never a stack trace.
        status: another status than the catalogue's, where one code is met in two situations.
        kind: another kind than the catalogue's, likewise.
        headers: response headers that belong to the problem (``Retry-After``, ``Allow``).
        errors: the fields that are wrong.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        status: int | None = None,
        kind: Kind | None = None,
        headers: Mapping[str, str] | None = None,
        errors: list[FieldError] | None = None,
    ) -> None:
        entry = CATALOGUE[code]
        self.code = code
        self.kind = kind or entry.kind
        self.title = entry.title
        self.detail = detail or None
        self.status = status or entry.status
        self.headers = dict(headers or {})
        self.errors = errors
        super().__init__(f"{code}: {entry.title}" + (f" ({detail})" if detail else ""))

    @property
    def blames_sender(self) -> bool:
        """Whether what was sent is at fault; else we failed, or have no time or room for it now."""
        return self.status < 500 and self.status not in _NOT_NOW

    @classmethod
    def from_input_error(cls, error: InputError) -> Problem:
        """The problem of a file that cannot be used."""
        return cls(error.code, error.detail)

    def document(self) -> dict[str, Any]:
        """The problem document, as plain JSON values."""
        return ProblemDocument(
            type=f"urn:unstuck:problem:{self.code}",
            title=self.title,
            status=self.status,
            code=self.code,
            kind=self.kind,
            detail=self.detail,
            errors=self.errors,
        ).model_dump(exclude_none=True)

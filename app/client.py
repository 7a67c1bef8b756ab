"""Diagnosis of a file by a server: what ``unstuck diagnose --server`` does."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx2
from pydantic import ValidationError

from analyzers.options import Options
from analyzers.report import Report
from app.errors import Problem, ProblemDocument
from app.worker.messages import ProgressMessage

_TIMEOUT: Final = httpx2.Timeout(30.0, read=60.0)
_POLL_S: Final = 1.0
_TRIES: Final = 6
"""Times that the server is asked the same before its refusal is taken for an answer."""
_LONGEST_WAIT_S: Final = 120.0
"""A server that wants to be left alone for longer has refused."""
_ERASED: Final = "diagnosis-not-found"


class ServerError(Exception):
    """The server cannot be reached, or answered what no unstuck server answers."""


def diagnose(
    server: str,
    path: Path,
    options: Options,
    *,
    key: str | None = None,
    repaired: Path | None,
    progress: Callable[[ProgressMessage], None],
) -> Report:
    """Have a server diagnose a file.

    Args:
        server: its address, such as ``http://127.0.0.1:8000``.
        path: the model file.
        options: what is known about its training.
        key: an API key, where the server wants one.
        repaired: where to put the repaired model, if one is wanted and there is one.
        progress: called with what the server says on its way.

    Raises:
        Problem: the file cannot be used, or the server failed.
        ServerError: there is no server.
        OSError: the file cannot be read, or the repaired model not written.
    """
    try:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=server, timeout=_TIMEOUT, headers=headers) as client:
            location = _send(client, path, options)
            _follow(client, location, progress)
            report = _report(client, location)
            if repaired is not None and report.fix is not None and report.fix.repaired_model is not None:
                _download(client, f"{location}/repaired-model", repaired)
            return report
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        raise ServerError(f"{server} cannot be reached: {error}") from error
    except Problem as problem:
        if problem.code != _ERASED:
            raise
        raise ServerError("the diagnosis was erased on the server before its report was fetched") from problem


def _send(client: httpx2.Client, path: Path, options: Options) -> str:
    fields = {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in options.model_dump(mode="json", exclude_defaults=True).items()
        if value is not None
    }
    once = {"Idempotency-Key": secrets.token_hex(16)}  # sent again, it makes no second job
    with path.open("rb") as file:

        def post() -> AbstractContextManager[httpx2.Response]:
            file.seek(0)
            files = {"file": (path.name, file)}
            return client.stream("POST", "/v1/diagnoses", data=fields, files=files, headers=once)

        with _answered(post) as response:
            return str(response.headers["Location"])


def _follow(client: httpx2.Client, location: str, progress: Callable[[ProgressMessage], None]) -> None:
    """Pass events on until the diagnosis has ended."""
    seen = "0"
    while True:
        headers = {"Last-Event-ID": seen}
        with suppress(httpx2.TransportError), _got(client, f"{location}/events", headers) as response:
            for kind, number, data in _events(response.iter_lines()):
                seen = number or seen
                if kind == "done":
                    return
                progress(ProgressMessage.model_validate(data))
        time.sleep(_POLL_S)  # the stream was cut; the next request tells whether the server is there
        with _got(client, location):
            pass


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The server-sent events in ``lines``: kind, id, data."""
    kind, number, data = "", "", ""
    for line in lines:
        name, _, value = line.partition(":")
        match name:
            case "event":
                kind = value.strip()
            case "id":
                number = value.strip()
            case "data":
                data += value
            case "" if not line:
                if data:
                    yield kind, number, json.loads(data)
                kind, number, data = "", "", ""


def _report(client: httpx2.Client, location: str) -> Report:
    with _got(client, location) as response:
        document = json.loads(response.read())
    if document["error"] is not None:
        raise _problem(document["error"])
    if document["report"] is None:
        raise ServerError("the diagnosis was cancelled")
    return Report.model_validate(document["report"])


def _download(client: httpx2.Client, address: str, target: Path) -> None:
    with _got(client, address) as response, target.open("wb") as file:
        for chunk in response.iter_bytes():
            file.write(chunk)


def _got(
    client: httpx2.Client, address: str, headers: dict[str, str] | None = None
) -> AbstractContextManager[httpx2.Response]:
    return _answered(lambda: client.stream("GET", address, headers=headers))


@contextmanager
def _answered(ask: Callable[[], AbstractContextManager[httpx2.Response]]) -> Iterator[httpx2.Response]:
    """The good answer to a request, its body still to be read; asked again when the server says when.

    Raises:
        Problem: the server refuses.
        ServerError: so does something that is no unstuck server.
    """
    for left in reversed(range(_TRIES)):
        with ask() as response:
            if not response.is_error:
                yield response
                return
            response.read()
        wait_s = _retry_after_s(response)
        if not left or wait_s is None or wait_s > _LONGEST_WAIT_S:
            raise _refusal(response)
        time.sleep(wait_s)


def _retry_after_s(response: httpx2.Response) -> float | None:
    """Seconds after which the server wants to be asked again; None where it does not say."""
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else None


def _refusal(response: httpx2.Response) -> Exception:
    try:
        document = response.json()
    except ValueError:
        return ServerError(f"the server answered {response.status_code}")
    return _problem(document)


def _problem(document: Any) -> Problem:
    try:
        known = ProblemDocument.model_validate(document)
        return Problem(known.code, known.detail, status=known.status, kind=known.kind, errors=known.errors)
    except (ValidationError, KeyError) as error:
        raise ServerError("the server's answer is not understood; is it an unstuck server?") from error

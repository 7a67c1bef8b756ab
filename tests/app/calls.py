"""What tests ask of a server, and how its answers look."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx2

from app.errors import CATALOGUE, PROBLEM_JSON
from tests.app.scripted_zygote import script
from tests.waiting import PATIENCE_S, until

WAIT_S = PATIENCE_S
"""The ``wait`` of a request that waits for its report."""
_salts = itertools.count()


def send(client: httpx2.Client, content: bytes = b"", *, wait: float = 0, **fields: str) -> httpx2.Response:
    """Send a model; one of its own, which no stored report answers, unless ``content`` says which."""
    files = {"file": ("model.h5", content or script(salt=f"new {next(_salts)}"))}
    return client.post("/v1/diagnoses", params={"wait": wait} if wait else None, files=files, data=fields)


def assert_problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The one shape of every error."""
    assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM_JSON)
    document: dict[str, Any] = response.json()
    assert document["code"] == code
    assert document["status"] == status
    assert document["type"] == f"urn:unstuck:problem:{code}"
    assert document["title"] == CATALOGUE[code].title
    assert document["kind"] == CATALOGUE[code].kind
    return document


def ended(client: httpx2.Client, address: str) -> dict[str, Any]:
    """The diagnosis once it has ended."""

    def look() -> dict[str, Any] | None:
        document: dict[str, Any] = client.get(address).json()
        return document if document["status"] in ("succeeded", "failed") else None

    return until(look)


def running(client: httpx2.Client, address: str) -> None:
    """Wait until a diagnosis has said something."""
    until(lambda: client.get(address).json()["progress"] is not None)


def events(client: httpx2.Client, address: str, **headers: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    with client.stream("GET", f"{address}/events", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        block: dict[str, str] = {}
        for line in response.iter_lines():
            if not line and block:
                yield block["event"], block["id"], json.loads(block["data"])
                block = {}
            elif line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                block[name] = value

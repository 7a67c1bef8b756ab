"""Every bad file through the real service: each ends in its one way, and the next honest file is served.

The service runs as in production: web process, worker, zygotes, sandboxed children.  The payloads would
leave a marker, open a connection, hang on a pipe or put a secret's words into a report.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from typing import Final

import httpx2
import pytest

from tests.app import server as servers
from tests.app.calls import ended
from tests.app.server import Server
from tests.hostile.case import Refused, Static, Trap
from tests.hostile.cases import CASES
from tests.hostile.files import archive
from tests.waiting import PATIENCE_S, until

FORMATS: Final = ("json", "text", "html", "markdown", "sarif", "junit")
WORDS: Final = "swordfish"
READING_CPU_S: Final = 12
"""What ends a reader that goes round in circles.  The time on the wall is left long, so that on a busy machine,
too, it is memory that ends what wants too much memory."""
ACTIVE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
"""Characters that control, hide or reorder text."""


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Trap, socket.socket]]:
    folder = tmp_path_factory.mktemp("trap")
    (folder / "secret").write_text(WORDS * 100)
    os.mkfifo(folder / "fifo")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        port = listener.getsockname()[1]
        yield Trap(folder / "marker", folder / "secret", folder / "fifo", port), listener


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = servers.start(
        tmp_path_factory.mktemp("service"),
        servers.REAL,
        reading_cpu_s=READING_CPU_S,
        reading_wall_s=PATIENCE_S / 2,
        queue_size=10_000,
        memory_bytes=2**31,
    )
    yield started
    started.stop()


@pytest.fixture(scope="module")
def answers(server: Server, trap: tuple[Trap, socket.socket]) -> dict[str, httpx2.Response]:
    """Every file sent at once; what POST said."""
    with server.client() as client:
        return {name: _send(client, case.make(trap[0])) for name, case in CASES.items()}


def _send(client: httpx2.Client, content: bytes, **fields: str) -> httpx2.Response:
    return client.post(
        "/v1/diagnoses", files={"file": ("model.keras", content)}, data=fields | {"budget_s": "5"}
    )


def _assert_harmless(client: httpx2.Client, address: str) -> str:
    """Every format of a report shows nothing that acts; all of them together."""
    texts = []
    for name in FORMATS:
        answer = client.get(f"{address}/report", params={"format": name})
        assert answer.status_code == 200, (name, answer.text[:500])
        assert (found := ACTIVE.search(answer.text)) is None, (name, found)
        assert name != "html" or "<img" not in answer.text
        assert len(answer.content) < 2_000_000
        texts.append(answer.text)
    return "\n".join(texts)


@pytest.mark.parametrize("name", CASES)
def test_each_file_ends_as_it_must(
    name: str, server: Server, answers: dict[str, httpx2.Response], trap: tuple[Trap, socket.socket]
) -> None:
    ending, answer = CASES[name].ending, answers[name]
    with server.client() as client:
        if answer.status_code == 415:
            job = {"status": "failed", "error": answer.json() | {"status": 422}}
        else:
            assert answer.status_code == 202, answer.text
            job = ended(client, answer.headers["location"])
        if isinstance(ending, Refused):
            assert job["error"] is not None, job["report"]
            assert (job["error"]["code"], job["error"]["status"], job["error"]["kind"]) == (
                ending.code,
                422,
                "input",
            )
            said = str(job["error"])
            assert ACTIVE.search(said) is None
        else:
            assert job["error"] is None, job["error"]
            said = _assert_harmless(client, answer.headers["location"])
            assert ending.said in said
            report = client.get(f"{answer.headers['location']}/report").json()
            assert not [check for check in report["checks"] if check["outcome"] == "error"]
            if isinstance(ending, Static):
                assert report["probe"] is None
    marker, listener = trap[0].marker, trap[1]
    assert not marker.exists()
    assert WORDS not in said
    assert str(server.data) not in said
    assert "Traceback" not in said
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_the_next_honest_file_is_served(server: Server, answers: dict[str, httpx2.Response]) -> None:
    with server.client() as client:
        answer = _send(client, archive(), probe="off")
        job = ended(client, answer.headers["location"])
        assert job["status"] == "succeeded"
    until(lambda: server.answers("/readyz"))
    assert len(answers) == len(CASES) >= 100
    workers = list((server.data / "scratch").iterdir())
    assert workers
    until(lambda: not [left for worker in workers for left in worker.iterdir()])

"""The client against a server that answers as told, refusals included."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analyzers.options import Options
from app import cli, client
from app.errors import PROBLEM_JSON, Problem
from tests.reports import factory

REPORT = factory.report()
JOB = "/v1/diagnoses/1"
EVENTS = f"{JOB}/events"
SEND = "/v1/diagnoses"
MODEL = b"the model"


class Answer:
    """A status, headers and a body."""

    def __init__(self, status: int, body: object = "", **headers: str) -> None:
        self.status = status
        self.body = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def refusal(code: str, **headers: str) -> Answer:
    problem = Problem(code)
    return Answer(problem.status, problem.document(), content_type=PROBLEM_JSON, **headers)


BUSY = refusal("queue-full", retry_after="0")
GOOD = {
    SEND: Answer(202, {}, location=JOB),
    EVENTS: Answer(200, 'event: done\nid: 1\ndata: {"status": "succeeded"}\n\n'),
    JOB: Answer(200, {"error": None, "report": json.loads(REPORT.model_dump_json())}),
}


class Scripted(ThreadingHTTPServer):
    """Gives the answers of an address in turn, then the good one again and again."""

    def __init__(self, answers: dict[str, list[Answer]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.asked: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def count(self, address: str) -> int:
        return sum(path == address for path, _, _ in self.asked)


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        scripted = self.server.answers.get(self.path)
        answer = scripted.pop(0) if scripted else GOOD[self.path]
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_POST = do_GET  # noqa: N815 - the base class's name

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Keep quiet."""


@contextmanager
def scripted(**answers: list[Answer]) -> Iterator[Scripted]:
    """A server: ``send``, ``events`` and ``job`` say what is answered there first."""
    addresses = {"send": SEND, "events": EVENTS, "job": JOB}
    server = Scripted({addresses[name]: list(given) for name, given in answers.items()})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.h5"
    path.write_bytes(MODEL)
    return path


def diagnose(server: Scripted, model: Path) -> str:
    report = client.diagnose(server.url, model, Options(), repaired=None, progress=lambda _: None)
    return report.verdict


def test_a_server_that_is_busy_is_asked_again_when_it_says_and_makes_one_job(model: Path) -> None:
    with scripted(
        send=[BUSY, refusal("too-many-requests", retry_after="0")], events=[BUSY], job=[BUSY]
    ) as server:
        assert diagnose(server, model) == REPORT.verdict
    sent = [(headers["idempotency-key"], body) for path, headers, body in server.asked if path == SEND]
    assert len({key for key, _ in sent}) == 1
    assert [MODEL in body for _, body in sent] == [True] * 3, "the whole file each time"
    assert (server.count(EVENTS), server.count(JOB)) == (2, 2)


@pytest.mark.parametrize("code", ["key-invalid", "internal-error", "unavailable", "too-many-requests"])
def test_a_refusal_to_tell_the_events_ends_the_wait(model: Path, code: str) -> None:
    with scripted(events=[refusal(code)]) as server, pytest.raises(Problem, match=code):
        diagnose(server, model)
    assert server.count(EVENTS) == 1


@pytest.mark.parametrize("place", ["events", "job"])
def test_a_diagnosis_that_was_erased_meanwhile_is_told(model: Path, place: str) -> None:
    gone = {place: [refusal("diagnosis-not-found")]}
    with scripted(**gone) as server, pytest.raises(client.ServerError, match="was erased"):
        diagnose(server, model)


def test_a_stream_that_is_cut_is_asked_for_again(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_POLL_S", 0.0)
    cut = Answer(
        200, 'event: progress\nid: 7\ndata: {"stage": "probing", "fraction": 0.5, "message": ""}\n\n'
    )
    with scripted(events=[cut]) as server:
        assert diagnose(server, model) == REPORT.verdict
    seen = [headers["last-event-id"] for path, headers, _ in server.asked if path == EVENTS]
    assert seen == ["0", "7"]


def exit_of(server: Scripted, model: Path) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["diagnose", str(model), "--server", server.url])
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("not-a-model", cli.UNUSABLE), ("invalid-options", cli.UNUSABLE), ("upload-too-large", cli.UNUSABLE),
        ("key-invalid", cli.UNUSABLE), ("too-many-requests", cli.FAILED), ("unavailable", cli.FAILED),
        ("storage-full", cli.FAILED), ("upload-timeout", cli.FAILED), ("internal-error", cli.FAILED),
    ],
)  # fmt: skip
def test_only_what_was_sent_makes_a_file_unusable(model: Path, code: str, expected: int) -> None:
    with scripted(send=[refusal(code)]) as server:
        exit_code, said = exit_of(server, model)
    assert (exit_code, f"[{code}]" in said) == (expected, True)


@pytest.mark.parametrize("retry_after", ["0", "100000"])
def test_a_server_that_stays_busy_is_our_fault_not_the_files(model: Path, retry_after: str) -> None:
    busy = refusal("queue-full", retry_after=retry_after)
    with scripted(send=[busy] * 100) as server:
        exit_code, said = exit_of(server, model)
    assert (exit_code, "does not take the file now" in said) == (cli.FAILED, True)
    assert server.count(SEND) == (client._TRIES if retry_after == "0" else 1)


def test_what_is_no_unstuck_server_is_told(model: Path) -> None:
    with scripted(send=[Answer(502, "<html>")]) as server:
        assert exit_of(server, model) == (cli.FAILED, "unstuck: the server answered 502\n")

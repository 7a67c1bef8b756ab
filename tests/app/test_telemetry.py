"""Traces of a real service, as a collector receives them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app import telemetry
from tests.app import server as servers
from tests.app.calls import ended, send
from tests.waiting import until


@dataclass
class Collector:
    """An OTLP collector that keeps what it is sent."""

    url: str = ""
    requests: list[tuple[str, bytes]] = field(default_factory=list)

    def spans(self) -> list[tuple[str, str, dict[str, Any], list[str]]]:
        """Service, name, attributes and events of every span received."""
        found = []
        for path, body in list(self.requests):
            assert path == "/v1/traces"
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = next(
                    a.value.string_value for a in group.resource.attributes if a.key == "service.name"
                )
                for scope in group.scope_spans:
                    for span in scope.spans:
                        told = {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
                        found.append((service, span.name, told, [event.name for event in span.events]))
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.requests.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        kept.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield kept
        http.shutdown()
        thread.join()


def test_a_request_and_its_job_are_traced_and_lead_to_each_other(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    server = servers.start(tmp_path / "data")
    try:
        with server.client() as client:
            sent = send(client)
            ended(client, sent.headers["location"])
        job = until(lambda: next((one for one in collector.spans() if one[1] == "job"), None))
        until(lambda: any(one[1] == "POST /v1/diagnoses" for one in collector.spans()))
    finally:
        server.stop()

    spans = collector.spans()
    posted = next(one for one in spans if one[1] == "POST /v1/diagnoses")
    assert (posted[0], job[0]) == ("unstuck-web", "unstuck-worker")
    assert job[2][telemetry.JOB_ID] == sent.json()["id"]
    assert job[2]["unstuck.outcome"] == "succeeded"
    assert "probing" in job[3]
    assert job[2][telemetry.REQUEST_ID] == posted[2][telemetry.REQUEST_ID] == sent.headers["x-request-id"]
    assert not any("healthz" in name or "readyz" in name for _, name, _, _ in spans)


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_traces_are_sent_only_where_the_environment_asks(
    environment: dict[str, str], asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert telemetry.wanted() is asked

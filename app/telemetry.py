"""Traces over OTLP, where OpenTelemetry's usual variables ask for them.

A request and a job are spans of their own, in processes and at times of their own: ``unstuck.request_id`` on
both leads from one to the other, as it does in the log.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final

import structlog
from opentelemetry import trace

if TYPE_CHECKING:
    from fastapi import FastAPI

REQUEST_ID: Final = "unstuck.request_id"
JOB_ID: Final = "unstuck.job_id"
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_QUIET: Final = "healthz,readyz,metrics"
"""Routes that are asked all the time, and are not traced."""

_tracer = trace.get_tracer("unstuck")


def wanted() -> bool:
    """Whether the environment names a collector, and does not switch telemetry off."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and any(os.environ.get(name) for name in _ENDPOINTS)


def configure(service: str) -> None:
    """Send this process's spans to the collector that the environment names; without one, nothing.

    Args:
        service: the service's name where ``OTEL_SERVICE_NAME`` gives none.
    """
    if not wanted():
        return
    try:
        otlp = import_module("app.otlp")
    except ImportError:
        structlog.get_logger().warning("traces are asked for: install unstuck[telemetry]")
        return
    otlp.export(os.environ.get("OTEL_SERVICE_NAME") or service)


def watch(app: FastAPI) -> None:
    """Make every request of the application a span; where the means are missing `configure` has said so."""
    if wanted():
        with suppress(ImportError):
            import_module("app.otlp").instrument(app, excluded=_QUIET)


def note_request(request_id: str) -> None:
    """Name the request that the current span is about."""
    trace.get_current_span().set_attribute(REQUEST_ID, request_id)


def note_stage(stage: str) -> None:
    """Say on the current span that a job has come to a stage."""
    trace.get_current_span().add_event(stage)


@contextmanager
def job_span(job_id: str, *, attempt: int, request_id: str | None) -> Iterator[trace.Span]:
    """One attempt at a job, as a span."""
    with _tracer.start_as_current_span("job") as span:
        span.set_attributes({JOB_ID: job_id, "unstuck.attempt": attempt, REQUEST_ID: request_id or ""})
        yield span

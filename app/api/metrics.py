"""What can be measured from outside, as Prometheus reads it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from app.api import problems
from app.api.access import Scraper
from app.jobs.attendance import Attendance
from app.jobs.lanes import LANES
from app.store import Store, tallies
from app.store.files import used_bytes
from app.store.tables import Delivery, Job

router = APIRouter(tags=["health"])

_WORKER_SILENCE_S: Final = 60.0
_GPU: Final = ("gpu", "model")
_SECONDS: Final = (0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300)


class Metrics:
    """The figures of one web process, and those that all processes share through the database.

    Args:
        store: where the shared ones come from.
        attendance: of the workers.
    """

    def __init__(self, store: Store, attendance: Attendance) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(_Shared(store, attendance))
        self.requests = Counter(
            "unstuck_http_requests",
            "Requests answered by this process.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "unstuck_http_request_seconds",
            "Seconds from a request's first byte to its answer's last.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )


class _Shared(Collector):
    """Reads the database at every scrape."""

    def __init__(self, store: Store, attendance: Attendance) -> None:
        self._store = store
        self._attendance = attendance

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every shared figure."""
        yield from self._queue()
        yield from self._workers()
        yield from self._tallies()

    def _queue(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("unstuck_jobs", "Jobs that have not ended.", labels=("lane", "status"))
        age = GaugeMetricFamily(
            "unstuck_queue_age_seconds", "Age of the oldest waiting job.", labels=("lane",)
        )
        stored = GaugeMetricFamily("unstuck_stored_bytes", "What all kept files take together.")
        messages = GaugeMetricFamily(
            "unstuck_webhook_messages", "Webhook messages that are kept.", labels=("status",)
        )
        counted = select(Job.lane, Job.status, func.count(), func.min(Job.created_at))
        with self._store.database.read() as session:
            rows = session.execute(
                counted.where(Job.status.in_(("queued", "running"))).group_by(Job.lane, Job.status)
            ).all()
            stored.add_metric((), used_bytes(session))
            for status, count in session.execute(
                select(Delivery.status, func.count()).group_by(Delivery.status)
            ):
                messages.add_metric((status,), count)
        found = {(lane, status): (count, oldest) for lane, status, count, oldest in rows}
        now = time.time()
        for lane in LANES:
            for status in ("queued", "running"):
                jobs.add_metric((lane, status), found.get((lane, status), (0, now))[0])
            age.add_metric((lane,), now - found.get((lane, "queued"), (0, now))[1])
        yield from (jobs, age, stored, messages)

    def _workers(self) -> Iterator[Metric]:
        beat = GaugeMetricFamily(
            "unstuck_worker_heartbeat_age_seconds", "Seconds since a sign of life.", labels=("worker",)
        )
        ready = GaugeMetricFamily(
            "unstuck_worker_ready", "Whether a worker could start a job at once.", labels=("worker", "lanes")
        )
        memory = GaugeMetricFamily(
            "unstuck_worker_memory_bytes",
            "Resident memory of a worker and its children; shared pages count in each process.",
            labels=("worker",),
        )
        busy = GaugeMetricFamily(
            "unstuck_gpu_utilization_ratio",
            "Share of the time in which a GPU of a worker's machine was busy.",
            labels=_GPU,
        )
        used = GaugeMetricFamily("unstuck_gpu_memory_used_bytes", "Used memory of a GPU.", labels=_GPU)
        total = GaugeMetricFamily("unstuck_gpu_memory_bytes", "Memory that a GPU has.", labels=_GPU)
        gpus: dict[str, dict[str, Any]] = {}
        for attending in self._attendance.look():
            if attending.silent_s > _WORKER_SILENCE_S:
                continue
            worker = attending.worker
            beat.add_metric((worker.id,), attending.silent_s)
            ready.add_metric((worker.id, ",".join(worker.lanes)), float(worker.ready))
            memory.add_metric((worker.id,), worker.memory_bytes)
            gpus |= {gpu["uuid"]: gpu for gpu in worker.gpus}  # which every worker of a machine tells of
        for uuid, gpu in gpus.items():
            if gpu["utilization"] is not None:
                busy.add_metric((uuid, gpu["name"]), gpu["utilization"])
            used.add_metric((uuid, gpu["name"]), gpu["memory_used_bytes"])
            total.add_metric((uuid, gpu["name"]), gpu["memory_bytes"])
        yield from (beat, ready, memory, busy, used, total)

    def _tallies(self) -> Iterator[Metric]:
        counts = {
            name: CounterMetricFamily(f"unstuck_{name}", figure.help, labels=(figure.label,))
            for name, figure in tallies.FIGURES.items()
        }
        seconds = CounterMetricFamily(
            "unstuck_seconds",
            "Sum of the seconds that the figure of this name measured.",
            labels=("figure", "label"),
        )
        for tally in tallies.read(self._store.database):
            counts[tally.name].add_metric((tally.label,), tally.count)
            if tally.total:
                seconds.add_metric((tally.name, tally.label), tally.total)
        yield from counts.values()
        yield seconds


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "The figures in Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problems.responses("key-missing", "key-invalid", "scope-missing", "unavailable"),
    },
)
def get_metrics(request: Request, _: Scraper) -> Response:
    """What can be measured: queue, workers, verdicts, seconds by stage, requests, memory."""
    metrics: Metrics = request.app.state.metrics
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

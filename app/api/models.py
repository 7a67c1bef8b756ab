"""Request and response models of the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from pydantic import BaseModel, Field

from analyzers.options import Options
from app.errors import ProblemDocument
from app.jobs.states import Status
from app.store.tables import Job


class Links(BaseModel):
    """Addresses that belong to a diagnosis."""

    self: str
    report: str
    events: str
    page: str


class Accepted(BaseModel):
    """A diagnosis that was accepted."""

    id: str
    status: Status
    links: Links


class ProgressModel(BaseModel):
    """Where a running diagnosis is."""

    stage: str
    fraction: float = Field(description="Share of the planned work that is done, 0 to 1.")
    message: str
    step: int | None = Field(default=None, description="Optimisation steps taken so far.")
    loss: float | None = Field(default=None, description="Training loss of the latest step.")


class Summary(BaseModel):
    """A diagnosis without its report."""

    id: str
    status: Status
    created_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str
    file_name: str
    sha256: str
    size_bytes: int
    options: Options
    callback_url: str | None
    progress: ProgressModel | None
    error: ProblemDocument | None
    links: Links


class Diagnosis(Summary):
    """A diagnosis with its report, once there is one."""

    report: dict[str, Any] | None = Field(description="The report, as `GET /v1/schemas/report` describes it.")


class DiagnosisList(BaseModel):
    """The newest diagnoses first."""

    diagnoses: list[Summary]
    next: str | None = Field(description="Address of the next page; null on the last.")


class DeliveryModel(BaseModel):
    """A webhook message and how its delivery goes."""

    id: str
    status: str = Field(description="pending, delivered or given-up.")
    attempts: int
    created_at: str
    next_at: str | None = Field(description="When the next attempt is due, while there is one.")
    answer: str | None = Field(description="What came of the latest attempt.")


class DeliveryList(BaseModel):
    """The webhook messages of a diagnosis."""

    deliveries: list[DeliveryModel]


class SessionModel(BaseModel):
    """Who is calling."""

    name: str = Field(description="Name of the API key; empty on an open service.")
    scopes: list[str]
    csrf_token: str | None = Field(description="To be sent as X-CSRF-Token; null without a session.")


class Done(BaseModel):
    """The last event of a diagnosis."""

    status: Status
    error: ProblemDocument | None = None


class ReadingLimits(BaseModel):
    """What a file may hold; one that holds more is refused before anything of it is unpacked."""

    unpacked_bytes: int = Field(
        description="Of a file of the largest size, all that it holds; less of smaller ones."
    )
    zip_members: int = Field(description="Of a .keras file, beside its assets.")
    zip_assets: int
    zip_ratio: int = Field(description="Unpacked over packed bytes of one member.")
    hdf5_objects: int = Field(description="Groups and arrays.")
    hdf5_depth: int = Field(description="Groups within one another.")
    hdf5_ratio: int = Field(description="Declared over stored bytes of one array.")
    text_bytes: int = Field(description="The configuration, and every other JSON text or attribute.")
    json_depth: int = Field(description="Lists and objects within one another.")
    layers: int = Field(description="Those of nested models included.")
    layer_calls: int = Field(description="With each call of a nested model written out.")
    cpu_s: int = Field(description="Processor time.")


class LimitsModel(BaseModel):
    """What this service takes."""

    upload_bytes: int
    budget_s_default: float
    budget_s_max: float
    wait_s_max: float
    queue_size: int
    retention_days: float
    memory_bytes: int
    reading_s: float
    reading: ReadingLimits
    upload_s: float
    upload_rate: str
    request_rate: str
    key_jobs: int


class RuleModel(BaseModel):
    """One rule of the catalogue; ``documentation`` is Markdown."""

    id: str
    group: str
    title: str
    requires: list[str]
    interventions: list[str]
    references: list[str]
    documentation: str


class RuleList(BaseModel):
    """All rules."""

    rules: list[RuleModel]


class Health(BaseModel):
    """The process is alive."""

    status: str


class Ready(BaseModel):
    """Whether jobs would be run now, and what protects the machine from them."""

    status: str
    database: bool
    blobs: bool = Field(description="Model files can be kept and read.")
    queue: bool = Field(description="The broker answers.")
    worker: bool = Field(description="A worker gave a sign of life lately.")
    lanes: dict[str, bool] = Field(description="Whether each lane has a worker that could start at once.")
    last_heartbeat_s: float | None = Field(
        description="Seconds since the newest sign of life of any worker, also of one that is gone."
    )
    free_bytes: int
    sandbox: dict[str, Any] | None = Field(
        description="What the kernels of all workers offer against a hostile file: of each feature the least."
    )


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC."""
    return (
        None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    )


def links(job_id: str) -> Links:
    """The addresses of a diagnosis."""
    base = f"/v1/diagnoses/{job_id}"
    return Links(self=base, report=f"{base}/report", events=f"{base}/events", page=f"/diagnoses/{job_id}")


def summary_fields(job: Job, request: Request) -> dict[str, Any]:
    """The fields of `Summary`."""
    retention_s = request.app.state.settings.retention_days * 24 * 3600
    return {
        "id": job.id,
        "status": job.status,
        "created_at": moment(job.created_at),
        "started_at": moment(job.started_at),
        "finished_at": moment(job.finished_at),
        "expires_at": moment(job.created_at + retention_s),
        "file_name": job.file_name,
        "sha256": job.sha256,
        "size_bytes": job.size_bytes,
        "options": job.options,
        "callback_url": job.callback_url,
        "progress": job.progress,
        "error": job.error,
        "links": links(job.id),
    }

"""Every setting of the service: one class, from which the environment, ``/v1/limits`` and the docs derive."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.memory import memory_bytes

GIB = 2**30
MEMORY_FLOOR = GIB // 4
"""Least memory that one diagnosis can be given, in bytes."""
_MEMORY_SHARE = 0.6
"""Share of the memory there is that one diagnosis may use where nothing is set."""


def default_memory_bytes() -> int:
    """The smaller of 8 GiB and a fixed share of the memory there is, in bytes; the least that may be set."""
    return max(MEMORY_FLOOR, min(8 * GIB, int(memory_bytes() * _MEMORY_SHARE)))


class Settings(BaseSettings):
    """Settings of the service; each is read from the environment as ``UNSTUCK_`` plus its name."""

    model_config = SettingsConfigDict(env_prefix="UNSTUCK_", frozen=True)

    data: Path = Field(
        default=Path("unstuck-data"), description="Folder that holds everything the service keeps."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    allow_unauthenticated: bool = Field(
        default=False,
        description="Listen on other addresses than loopback although callers are not authenticated "
        "(for a container behind a proxy that does that).",
    )
    allow_weak_sandbox: bool = Field(
        default=False,
        description="Serve although the kernel offers neither Landlock nor unprivileged namespaces.",
    )
    require_sandbox: bool = Field(
        default=False,
        description="Refuse to start where the kernel or the container lacks any part of the sandbox: Landlock, "
        "unprivileged namespaces, the system call filter.",
    )
    database_url: str = Field(
        default="", description="SQLAlchemy URL of the database; empty for SQLite in the data folder."
    )
    blobs: Path | None = Field(
        default=None,
        description="Folder of the model files, shared by every worker; empty for one in the data folder.",
    )
    blob_url: str = Field(
        default="",
        description="Bucket of the model files in the place of a folder, `s3://bucket/prefix`; its endpoint and "
        "credentials come from the usual `AWS_` variables.",
    )
    broker_url: str = Field(
        default="",
        description="Redis or RabbitMQ that announces jobs to workers on other machines (`redis://...`, "
        "`amqp://...`); empty for a worker beside the web server.",
    )
    queue_name: str = Field(
        default="unstuck", description="What the broker's queues are called, before a dot and the lane."
    )
    secret: str = Field(
        default="",
        description="Secret from which sessions and webhook signatures are derived, 32 characters or more, "
        "the same in every process; empty for one that is kept in the data folder.",
        repr=False,
    )
    upload_bytes: int = Field(default=4 * GIB, ge=1, description="Largest model file, in bytes.")
    wait_s: float = Field(
        default=300.0, ge=0, description="Longest `wait` of a POST, in seconds.", allow_inf_nan=False
    )
    queue_size: int = Field(default=100, ge=1, description="Jobs that may wait; more are refused with 503.")
    key_jobs: int = Field(
        default=50, ge=1, description="Jobs of one key that may wait or run; more are refused with 429."
    )
    upload_rate: str = Field(
        default="60/minute", description="Uploads that one caller may send; more are refused with 429."
    )
    request_rate: str = Field(
        default="1200/minute", description="Requests that one caller may send; more are refused with 429."
    )
    disk_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Bytes that all files may take, those included that are being received; an upload over it is "
        "refused with 507. Empty for no bound but the disk's.",
    )
    upload_s: float = Field(default=3600.0, gt=0, description="Seconds that an upload may take.")
    upload_pause_s: float = Field(
        default=30.0, gt=0, description="Seconds without a byte after which an upload is given up."
    )
    shutdown_s: int = Field(
        default=5, ge=0, description="Seconds that open requests are given when the service is stopped."
    )
    cors_origins: str = Field(
        default="", description="Origins whose pages may call the API, separated by commas."
    )
    webhook_private: bool = Field(
        default=False, description="Deliver webhooks to private, link-local and loopback addresses, too."
    )
    retention_days: float = Field(
        default=7.0,
        gt=0,
        description="Days after which a job and its files are deleted.",
        allow_inf_nan=False,
    )
    memory_bytes: int = Field(
        default_factory=default_memory_bytes,
        ge=MEMORY_FLOOR,
        description="Memory that one diagnosis may use, in bytes; the default is the smaller of 8 GiB and "
        "60 % of the machine's or, where that is lower, of the container's limit.",
    )
    reading_cpu_s: int = Field(default=20, ge=1, description="CPU seconds for reading a file.")
    reading_wall_s: float = Field(default=30.0, gt=0, description="Seconds for reading a file.")
    lease_s: float = Field(
        default=15.0,
        gt=0,
        description="Seconds without a sign of life after which a job is given to another worker.",
    )
    attempts: int = Field(default=2, ge=1, description="Times that a job whose worker was lost is started.")

    @property
    def blob_folder(self) -> Path:
        """Where model files lie, with the default filled in."""
        return self.blobs or self.data / "blobs"

    @property
    def database(self) -> str:
        """The database's URL with the default filled in."""
        return self.database_url or f"sqlite:///{self.data.absolute() / 'unstuck.db'}"

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a process that is started with them."""
        dumped = self.model_dump(mode="json")
        dumped["data"] = str(self.data.absolute())
        return {f"UNSTUCK_{name.upper()}": str(value) for name, value in dumped.items() if value is not None}


_INTRODUCTION = """\
# Settings

Every setting is an environment variable of the service; `unstuck serve` has flags for the first three.
This page is generated: `python -m app.settings > docs/settings.md`.

| variable | default | what it is |
|---|---|---|
"""


def table() -> str:
    """The settings as a Markdown page."""
    rows = []
    for name, field in Settings.model_fields.items():
        empty = field.default_factory is not None or field.default in ("", None)
        default = "" if empty else f"`{field.default}`"
        rows.append(f"| `UNSTUCK_{name.upper()}` | {default} | {field.description} |\n")
    return _INTRODUCTION + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(table())

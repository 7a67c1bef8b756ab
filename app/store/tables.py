"""The tables.  Times are seconds since the epoch; the queue of record is ``jobs`` with its lease columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.jobs.lanes import Lane


class Base(DeclarativeBase):
    """The tables of the service."""


class Blob(Base):
    """One stored file.  Its row is the lock under which the file is put in place and removed."""

    __tablename__ = "blobs"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[float] = mapped_column(Double)


class Job(Base):
    """One diagnosis: what was asked, where it is, and how it ended."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[float] = mapped_column(Double)
    file_name: Mapped[str] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(ForeignKey("blobs.sha256"), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    engine_version: Mapped[str] = mapped_column(String(32))
    owner: Mapped[str] = mapped_column(String(32), default="", server_default="")
    lane: Mapped[Lane] = mapped_column(String(8), server_default="probe")
    interactive: Mapped[bool] = mapped_column(default=False, server_default=false())
    result_key: Mapped[str | None] = mapped_column(String(64), index=True)
    callback_url: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(64))

    status: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[str | None] = mapped_column(String(32))
    heartbeat_at: Mapped[float | None] = mapped_column(Double)
    lease_expires_at: Mapped[float | None] = mapped_column(Double)
    worker: Mapped[str | None] = mapped_column(String(64))

    started_at: Mapped[float | None] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    report: Mapped[str | None] = mapped_column(Text)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    repaired_sha256: Mapped[str | None] = mapped_column(ForeignKey("blobs.sha256"), index=True)

    __table_args__ = (
        Index("ix_jobs_status_created_at", "status", "created_at"),
        Index("ix_jobs_owner_created_at", "owner", "created_at", "id"),
        Index("ix_jobs_owner_started_at", "owner", "started_at"),
    )


class Event(Base):
    """One thing that a running diagnosis said about itself, for those who follow it."""

    __tablename__ = "events"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


class Worker(Base):
    """One worker's latest sign of life, for readiness."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    started_at: Mapped[float] = mapped_column(Double)
    heartbeat_at: Mapped[float] = mapped_column(Double)
    ready: Mapped[bool]
    sandbox: Mapped[dict[str, Any]] = mapped_column(JSON)
    lanes: Mapped[list[str]] = mapped_column(JSON, server_default="[]")
    memory_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    gpus: Mapped[list[dict[str, Any]]] = mapped_column(JSON, server_default="[]")


class ApiKey(Base):
    """A caller's key; only the hash of its secret is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float | None] = mapped_column(Double)
    revoked_at: Mapped[float | None] = mapped_column(Double)


class IdempotentRequest(Base):
    """A request that its sender may repeat: what it asked for, and the job that it became.

    While it is coming in, ``created_at`` is its latest sign of life.
    """

    __tablename__ = "idempotent_requests"

    owner: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    created_at: Mapped[float] = mapped_column(Double)
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    job_id: Mapped[str | None] = mapped_column(String(32))


class Delivery(Base):
    """A webhook message and how its delivery goes."""

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    host: Mapped[str] = mapped_column(String(255), server_default="")
    created_at: Mapped[float] = mapped_column(Double)
    status: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[float] = mapped_column(Double)
    answer: Mapped[str | None] = mapped_column(String(255))

    __table_args__ = (Index("ix_deliveries_status_next_at", "status", "next_at"),)


class Tally(Base):
    """A figure that only grows: how often something happened, and the sum of what was measured."""

    __tablename__ = "tallies"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    label: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[float] = mapped_column(Double)

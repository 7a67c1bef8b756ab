"""Jobs as their senders see them: each method is one transaction, each change a transition of `states`."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session, defer

from analyzers.options import Options
from analyzers.version import VERSION
from app.errors import Problem
from app.jobs import states
from app.jobs.lanes import lane_of
from app.jobs.states import JobState
from app.store import deliveries, requests
from app.store.blobs import Incoming
from app.store.database import Database
from app.store.files import Files, storage_full, used_bytes
from app.store.requests import Idempotency
from app.store.room import Reservation, Room
from app.store.rows import apply, locked, state_of
from app.store.tables import Event, Job

ANYBODY: Final = ""
"""The owner of what is sent while the service is open: no key, no owner."""


@dataclass(frozen=True)
class Submission:
    """What a sender asks for.

    Attributes:
        file_name: as the sender called the file.
        options: of the diagnosis.
        owner: id of the sender's key.
        callback_url: where the end is to be told.
        interactive: somebody is waiting; such jobs go first.
        reuse: whether a stored report on the same file and options will do.
        request_id: of the request, for the log.
        idempotency: what makes the request the same as another.
    """

    file_name: str
    options: Options
    owner: str = ANYBODY
    callback_url: str | None = None
    interactive: bool = False
    reuse: bool = True
    request_id: str | None = None
    idempotency: Idempotency | None = None


@dataclass(frozen=True)
class Bounds:
    """How much may be waiting and kept.

    Attributes:
        queue_size: jobs that may wait.
        owner_jobs: jobs of one owner that may wait or run.
        disk_bytes: bytes of all files that are kept or being received; None for no bound.
    """

    queue_size: int
    owner_jobs: int
    disk_bytes: int | None


@dataclass(frozen=True)
class Filters:
    """Which jobs to list: those of ``owner`` that match what is not None."""

    owner: str
    status: states.Status | None = None
    sha256: str | None = None
    file_name: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filters as conditions on the job table."""
        chosen = {name: value for name, value in asdict(self).items() if value is not None}
        return [getattr(Job, name) == value for name, value in chosen.items()]


@dataclass(frozen=True)
class Cursor:
    """A place in a list of the newest jobs first: behind the job with these values."""

    created_at: float
    job_id: str


@dataclass(frozen=True)
class Watched:
    """What those who wait for a job look at again and again."""

    status: states.Status
    last_event: int


class JobStore:
    """Sending, looking at and erasing jobs.

    Args:
        database: where the rows are.
        files: where the files are.
    """

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files
        self._room = Room()

    def submit(self, upload: Incoming, submission: Submission, bounds: Bounds) -> Job:
        """Keep a received file and put its job into the queue, or end it at once with a stored report.

        Raises:
            Problem: ``queue-full``, ``quota-exceeded``, ``storage-full``.
        """
        key = _result_key(submission, upload.sha256)
        with self._database.write() as session:
            stored = _stored_result(session, key) if submission.reuse else None
            if stored is None:
                _check(session, submission.owner, bounds)
            if bounds.disk_bytes is not None and used_bytes(session) + upload.size_bytes > bounds.disk_bytes:
                raise storage_full()
            self._files.keep(session, upload)
            job = Job(
                id=secrets.token_hex(16),
                created_at=time.time(),
                file_name=submission.file_name[:255],
                sha256=upload.sha256,
                size_bytes=upload.size_bytes,
                options=submission.options.model_dump(mode="json"),
                engine_version=VERSION,
                owner=submission.owner,
                lane=lane_of(submission.options),
                interactive=submission.interactive,
                callback_url=submission.callback_url,
                request_id=submission.request_id,
                result_key=key,
                **asdict(JobState()),
            )
            if stored is not None:
                _answer_from(stored, job)
            session.add(job)
            session.flush()
            if stored is not None:
                deliveries.announce(session, job)
            if submission.idempotency is not None:
                requests.settle(session, submission.owner, submission.idempotency, job.id)
        return job

    def get(self, job_id: str, owner: str | None = None) -> Job:
        """The job; with ``owner``, only if it is theirs.

        Raises:
            Problem: ``diagnosis-not-found``.
        """
        with self._database.read() as session:
            job = session.get(Job, job_id)
        if job is None or owner not in (None, job.owner):
            raise Problem("diagnosis-not-found")
        return job

    def newest(self, filters: Filters, limit: int, after: Cursor | None = None) -> Sequence[Job]:
        """The newest jobs first, without their reports."""
        query = select(Job).options(defer(Job.report)).where(*filters.conditions())
        if after is not None:
            query = query.where(tuple_(Job.created_at, Job.id) < tuple_(after.created_at, after.job_id))
        with self._database.read() as session:
            return session.scalars(query.order_by(Job.created_at.desc(), Job.id.desc()).limit(limit)).all()

    def watch(self, job_ids: Collection[str]) -> dict[str, Watched]:
        """The status and the number of the newest event of each job; those that were erased are missing."""
        newest = select(func.coalesce(func.max(Event.number), 0)).where(Event.job_id == Job.id)
        query = select(Job.id, Job.status, newest.correlate(Job).scalar_subquery()).where(Job.id.in_(job_ids))
        with self._database.read() as session:
            return {job_id: Watched(status, number) for job_id, status, number in session.execute(query)}

    def events(self, job_id: str, after: int) -> Sequence[Event]:
        """The job's events with a greater number than ``after``."""
        query = select(Event).where(Event.job_id == job_id, Event.number > after).order_by(Event.number)
        with self._database.read() as session:
            return session.scalars(query).all()

    def check(self, owner: str, bounds: Bounds) -> None:
        """Refuse an upload before it is received if it is clear that its job could not be taken.

        Raises:
            Problem: ``queue-full``, ``quota-exceeded``.
        """
        with self._database.read() as session:
            _check(session, owner, bounds)

    def reserve(self, bounds: Bounds, coming_bytes: int) -> Reservation:
        """Reserve room for an upload before it is received.

        Args:
            bounds: how much may be kept.
            coming_bytes: what it says that it will take; 0 where it does not.

        Raises:
            Problem: ``storage-full``.
        """
        free_bytes = None
        if bounds.disk_bytes is not None:
            with self._database.read() as session:
                free_bytes = bounds.disk_bytes - used_bytes(session)
        return Reservation(self._room, free_bytes, coming_bytes)

    def erase(self, job_id: str, owner: str | None = None) -> None:
        """Cancel a job that has not ended and erase it with its files.

        Its worker notices that its lease is gone and kills the child.  Files that other jobs use stay.

        Raises:
            Problem: ``diagnosis-not-found``.
        """
        with self._database.write() as session:
            job = locked(session, job_id)
            if job is None or owner not in (None, job.owner):
                raise Problem("diagnosis-not-found")
            if job.status not in states.ENDED:
                apply(job, states.cancel(state_of(job)))
            hashes = {job.sha256, job.repaired_sha256} - {None}
            session.delete(job)
            session.flush()
            for sha256 in sorted(filter(None, hashes)):
                self._files.drop_unused(session, sha256)

    def expire(self, older_than_s: float) -> int:
        """Erase the jobs that ended and are older than this; how many they were."""
        query = select(Job.id).where(
            Job.created_at < time.time() - older_than_s, Job.status.in_(sorted(states.ENDED))
        )
        with self._database.read() as session:
            expired = session.scalars(query).all()
        for job_id in expired:
            self.erase(job_id)
        return len(expired)


def _check(session: Session, owner: str, bounds: Bounds) -> None:
    waiting = select(func.count()).select_from(Job).where(Job.status == "queued")
    if (session.scalar(waiting) or 0) >= bounds.queue_size:
        raise Problem("queue-full", headers={"Retry-After": "30"})
    unfinished = (
        select(func.count()).select_from(Job).where(Job.owner == owner, Job.status.in_(("queued", "running")))
    )
    if owner != ANYBODY and (session.scalar(unfinished) or 0) >= bounds.owner_jobs:
        raise Problem("quota-exceeded", headers={"Retry-After": "30"})


def _result_key(submission: Submission, sha256: str) -> str:
    """What two jobs must have in common for one report to answer both."""
    parts = [submission.owner, sha256, VERSION, submission.options.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _stored_result(session: Session, key: str) -> Job | None:
    """A job that ended with a complete report on the same file, options, owner and engine."""
    query = select(Job).where(Job.result_key == key, Job.status == "succeeded")
    for job in session.scalars(query.order_by(Job.created_at.desc()).limit(3)):
        if not json.loads(job.report or "{}").get("incomplete", True):
            return job
    return None


def _answer_from(stored: Job, job: Job) -> None:
    """End a new job with a stored report, under its own id."""
    report: dict[str, Any] = json.loads(stored.report or "")
    report["id"] = job.id
    if report["fix"] is not None and report["fix"]["repaired_model"] is not None:
        report["fix"]["repaired_model"] = f"/v1/diagnoses/{job.id}/repaired-model"
    job.report = json.dumps(report, ensure_ascii=False)
    job.repaired_sha256 = stored.repaired_sha256
    job.finished_at = job.created_at
    job.status = "succeeded"

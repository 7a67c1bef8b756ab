"""Jobs as workers see them: each method is one transaction, each change a transition of `states`."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from analyzers.report import Report
from app.errors import Problem
from app.jobs import states
from app.jobs.lanes import Lane
from app.jobs.reaping import Sign
from app.jobs.states import JobState, LeaseLostError
from app.reports import json
from app.store import deliveries, tallies
from app.store.blobs import Incoming
from app.store.database import Database
from app.store.files import Files
from app.store.rows import apply, locked, state_of
from app.store.tables import Event, Job

BATCH_PATIENCE_S: Final = 300.0
"""Seconds after which a job that nobody waits for counts as one that somebody does."""


def _next() -> Select[str]:
    other = aliased(Job)
    served_at = select(func.coalesce(func.max(other.started_at), 0)).where(other.owner == Job.owner)
    first = or_(Job.interactive, Job.created_at <= bindparam("patient_since"))
    return (
        select(Job.id)
        .where(Job.status == "queued", Job.lane == bindparam("lane"))
        .order_by(first.desc(), served_at.scalar_subquery(), Job.created_at, Job.id)
        .limit(1)
    )


_NEXT: Final = _next()
"""Made once: an idle worker asks twenty times a second, and making it costs more than running it."""


@dataclass(frozen=True)
class Lease:
    """A worker's hold on a job."""

    job_id: str
    token: str


@dataclass(frozen=True)
class Waiting:
    """A job that waits for a worker."""

    job_id: str
    lane: Lane


class LeaseStore:
    """Taking, keeping and ending jobs.

    Args:
        database: where the rows are.
        files: where the files are.
    """

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files

    def next_waiting(self, lane: Lane) -> str | None:
        """The job to run next: first what somebody waits for or has waited long itself, then of whoever was served least lately, then the oldest."""
        with self._database.read() as session:
            return session.execute(
                _NEXT, {"lane": lane, "patient_since": time.time() - BATCH_PATIENCE_S}
            ).scalar()

    def waiting(self) -> Sequence[Waiting]:
        """All jobs that wait for a worker."""
        query = select(Job.id, Job.lane).where(Job.status == "queued")
        with self._database.read() as session:
            return [Waiting(job_id, lane) for job_id, lane in session.execute(query)]

    def claim(self, job_id: str, worker: str, *, lease_s: float) -> tuple[Lease, Job] | None:
        """Take a waiting job; None when it is gone or somebody else's."""
        with self._database.write() as session:
            job = locked(session, job_id)
            if job is None or job.status != "queued":
                return None
            now = time.time()
            token = secrets.token_hex(16)
            apply(job, states.claim(state_of(job), token=token, now=now, lease_s=lease_s))
            job.worker = worker
            job.started_at = now
        return Lease(job_id, token), job

    def still_held(self, lease: Lease) -> bool:
        """Whether the lease is still its worker's."""
        with self._database.read() as session:
            job = session.get(Job, lease.job_id)
            return job is not None and states.holds(state_of(job), lease.token)

    def renew(self, lease: Lease, lease_s: float) -> None:
        """Give a sign of life.

        Raises:
            LeaseLostError: the job is no longer this worker's.
        """
        with self._database.write() as session:
            job = _held(session, lease)
            apply(job, states.renew(state_of(job), token=lease.token, now=time.time(), lease_s=lease_s))

    def add_event(self, lease: Lease, progress: dict[str, Any]) -> None:
        """Note progress.

        Raises:
            LeaseLostError: the job is no longer this worker's.
        """
        with self._database.write() as session:
            job = _held(session, lease)
            job.progress = progress
            newest = session.scalar(select(func.max(Event.number)).where(Event.job_id == job.id)) or 0
            session.add(Event(job_id=job.id, number=newest + 1, data=progress))

    def succeed(self, lease: Lease, report: Report, repaired: Incoming | None) -> None:
        """Store the report and end the job.

        Raises:
            LeaseLostError: the job is no longer this worker's.
        """
        with self._database.write() as session:
            job = _held(session, lease)
            if repaired is not None:
                self._files.keep(session, repaired)
                job.repaired_sha256 = repaired.sha256
            job.report = json.render(report)
            tallies.add(session, tallies.of_report(report))
            _end(session, job, states.finish(state_of(job), token=lease.token, succeeded=True))

    def fail(self, lease: Lease, problem: Problem) -> None:
        """End the job with a problem.

        Raises:
            LeaseLostError: the job is no longer this worker's.
        """
        with self._database.write() as session:
            job = _held(session, lease)
            job.error = problem.document()
            _end(session, job, states.finish(state_of(job), token=lease.token, succeeded=False))

    def release(self, lease: Lease) -> None:
        """Give the job back unfinished because the worker is being stopped.

        Raises:
            LeaseLostError: the job is no longer this worker's.
        """
        with self._database.write() as session:
            job = _held(session, lease)
            apply(job, states.release(state_of(job), token=lease.token))

    def lose(self, lease: Lease, problem: Problem, attempts: int) -> None:
        """The child was lost: the job waits again, or ends with ``problem`` after its last attempt.

        Raises:
            LeaseLostError: the job is no longer this worker's.
        """
        with self._database.write() as session:
            _lose(session, _held(session, lease), problem, attempts)

    def signs(self) -> Sequence[Sign]:
        """The latest signs of life of the workers of all running jobs."""
        columns = (Job.id, Job.lease_token, Job.heartbeat_at, Job.lease_expires_at)
        with self._database.read() as session:
            rows = session.execute(select(*columns).where(Job.status == "running")).all()
        return [
            Sign(job_id, token, heartbeat, expires - heartbeat)
            for job_id, token, heartbeat, expires in rows
            if token is not None and heartbeat is not None and expires is not None
        ]

    def take_from_silent(self, sign: Sign, attempts: int) -> bool:
        """Take a job from a worker whose latest sign of life is still this one; whether it was taken."""
        with self._database.write() as session:
            job = locked(session, sign.job_id)
            if job is None or job.lease_token != sign.token or job.heartbeat_at != sign.heartbeat_at:
                return False
            _lose(session, job, Problem("worker-lost"), attempts)
            return True

    def take_back(self, worker: str, attempts: int) -> list[str]:
        """Take the jobs back that ``worker`` ran when it was lost; called when it starts anew.  Their ids."""
        query = select(Job).where(Job.status == "running", Job.worker == worker)
        with self._database.write() as session:
            jobs = session.scalars(query.with_for_update()).all()
            for job in jobs:
                _lose(session, job, Problem("worker-lost"), attempts)
            return [job.id for job in jobs]


def _end(session: Session, job: Job, state: JobState) -> None:
    apply(job, state)
    job.finished_at = time.time()
    outcome = "succeeded" if job.error is None else job.error["code"]
    tallies.add(session, tallies.of_end(outcome, job.finished_at - (job.started_at or job.finished_at)))
    deliveries.announce(session, job)


def _lose(session: Session, job: Job, problem: Problem, attempts: int) -> None:
    state = states.lose(state_of(job), attempts=attempts)
    tallies.add(session, tallies.of_loss())
    if state.status == "failed":
        job.error = problem.document()
        _end(session, job, state)
    else:
        apply(job, state)


def _held(session: Session, lease: Lease) -> Job:
    job = locked(session, lease.job_id)
    if job is None or not states.holds(state_of(job), lease.token):
        raise LeaseLostError
    return job

"""Rows of the job table as states of the job's machine, and back."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy.orm import Session

from app.jobs.states import JobState
from app.store.tables import Job


def state_of(job: Job) -> JobState:
    """The state that a row holds."""
    return JobState(**{field.name: getattr(job, field.name) for field in fields(JobState)})


def apply(job: Job, state: JobState) -> None:
    """Write a state into a row."""
    for field in fields(JobState):
        setattr(job, field.name, getattr(state, field.name))


def locked(session: Session, job_id: str) -> Job | None:
    """The row, locked until the transaction ends."""
    return session.get(Job, job_id, with_for_update=True)

"""The job's life as a pure state machine.

    queued ──claim──▶ running ──succeed──▶ succeeded
      │                │  │  └────fail───▶ failed
      │                │  └─lose / release─▶ queued   (lose: while attempts are left, else failed)
      └────cancel──────┴────cancel──────▶ cancelled

`JobState` is what the machine looks at and changes; the store keeps it in the row and applies a
transition inside one transaction.  Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
STATUSES: tuple[Status, ...] = get_args(Status)
ENDED: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})


class IllegalTransitionError(Exception):
    """The job is not in a state from which this may happen."""


class LeaseLostError(Exception):
    """The lease is no longer the caller's: the job was cancelled, erased or given to another worker."""


@dataclass(frozen=True)
class JobState:
    """The part of a job that its life is about.

    Attributes:
        status: where it is.
        attempt: times it has been started.
        lease_token: the secret of the worker that runs it; None unless running.
        heartbeat_at: the worker's latest sign of life.
        lease_expires_at: when the job may be taken from the worker.
    """

    status: Status = "queued"
    attempt: int = 0
    lease_token: str | None = None
    heartbeat_at: float | None = None
    lease_expires_at: float | None = None


def claim(state: JobState, *, token: str, now: float, lease_s: float) -> JobState:
    """A worker takes a waiting job.

    Raises:
        IllegalTransitionError: it is not waiting.
    """
    if state.status != "queued":
        raise IllegalTransitionError(f"cannot claim a job that is {state.status}")
    return JobState("running", state.attempt + 1, token, now, now + lease_s)


def holds(state: JobState, token: str) -> bool:
    """Whether ``token`` is the lease of the running job."""
    return state.status == "running" and state.lease_token == token


def _held(state: JobState, token: str) -> JobState:
    if not holds(state, token):
        raise LeaseLostError
    return state


def renew(state: JobState, *, token: str, now: float, lease_s: float) -> JobState:
    """The worker gives a sign of life.

    Raises:
        LeaseLostError: the job is no longer its.
    """
    return replace(_held(state, token), heartbeat_at=now, lease_expires_at=now + lease_s)


def finish(state: JobState, *, token: str, succeeded: bool) -> JobState:
    """The worker ends the job.

    Raises:
        LeaseLostError: the job is no longer its.
    """
    return JobState("succeeded" if succeeded else "failed", _held(state, token).attempt)


def release(state: JobState, *, token: str) -> JobState:
    """The worker is stopped in good order: the job waits again and the attempt does not count.

    Raises:
        LeaseLostError: the job is no longer its.
    """
    return JobState("queued", _held(state, token).attempt - 1)


def lose(state: JobState, *, attempts: int) -> JobState:
    """The worker or its child was lost: the job waits again, or fails when its attempts are used up.

    Raises:
        IllegalTransitionError: it is not running.
    """
    if state.status != "running":
        raise IllegalTransitionError(f"cannot lose a job that is {state.status}")
    return JobState("queued" if state.attempt < attempts else "failed", state.attempt)


def cancel(state: JobState) -> JobState:
    """The sender stops the job.

    Raises:
        IllegalTransitionError: it has ended already.
    """
    if state.status in ENDED:
        raise IllegalTransitionError(f"cannot cancel a job that is {state.status}")
    return JobState("cancelled", state.attempt)

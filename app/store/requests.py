"""Requests that carry an ``Idempotency-Key``: sent twice, they make one job."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import Problem
from app.store.database import Database
from app.store.tables import IdempotentRequest

STALE_S: Final = 30.0
"""Seconds without a sign of life after which a request that never ended counts as cut off."""


@dataclass(frozen=True)
class Idempotency:
    """The key that a request carries, and the hash of what it asks for."""

    key: str
    fingerprint: str


def settle(session: Session, owner: str, idempotency: Idempotency, job_id: str) -> None:
    """Note the job that a request became, in the transaction that makes it.

    Raises:
        Problem: ``idempotency-in-progress``: the request was taken for cut off, and the one that came after
            it has become a job.
    """
    row = session.get(IdempotentRequest, (owner, idempotency.key), with_for_update=True)
    if row is None:
        row = IdempotentRequest(owner=owner, key=idempotency.key)
    elif row.job_id is not None:
        raise _in_progress()
    row.created_at, row.fingerprint, row.job_id = time.time(), idempotency.fingerprint, job_id
    session.add(row)


def _in_progress() -> Problem:
    return Problem("idempotency-in-progress", headers={"Retry-After": "5"})


class RequestStore:
    """The requests.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, owner: str, key: str) -> IdempotentRequest | None:
        """Note that a request has come; the earlier one of this key if that has become a job.

        Raises:
            Problem: ``idempotency-in-progress``.
        """
        for _ in range(2):
            with suppress(IntegrityError), self._database.write() as session:
                row = session.get(IdempotentRequest, (owner, key), with_for_update=True)
                if row is not None and row.job_id is not None:
                    return row
                if row is not None and abs(time.time() - row.created_at) < STALE_S:
                    break
                if row is None:
                    row = IdempotentRequest(owner=owner, key=key)
                row.created_at = time.time()
                session.add(row)
                session.flush()
                return None
        raise _in_progress()

    def renew(self, owner: str, key: str) -> None:
        """Give a sign of life of a request that is still coming in."""
        with self._database.write() as session:
            session.execute(
                update(IdempotentRequest).where(*_unfinished(owner, key)).values(created_at=time.time())
            )

    def undo(self, owner: str, key: str) -> None:
        """Forget a request that became no job: it may be sent again."""
        with self._database.write() as session:
            session.execute(delete(IdempotentRequest).where(*_unfinished(owner, key)))

    def expire(self, older_than_s: float) -> None:
        """Forget requests that are older than this."""
        with self._database.write() as session:
            session.execute(
                delete(IdempotentRequest).where(IdempotentRequest.created_at < time.time() - older_than_s)
            )


def _unfinished(owner: str, key: str) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotentRequest.owner == owner,
        IdempotentRequest.key == key,
        IdempotentRequest.job_id.is_(None),
    )

"""Requests that carry an ``Idempotency-Key``: sent twice, they make one job."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import Problem
from app.store.database import Database
from app.store.tables import IdempotentRequest


@dataclass(frozen=True)
class Idempotency:
    """The key that a request carries, and the hash of what it asks for."""

    key: str
    fingerprint: str


def settle(session: Session, owner: str, idempotency: Idempotency, job_id: str) -> None:
    """Note the job that a request became, in the transaction that makes it."""
    session.merge(
        IdempotentRequest(
            owner=owner,
            key=idempotency.key,
            created_at=time.time(),
            fingerprint=idempotency.fingerprint,
            job_id=job_id,
        )
    )


class RequestStore:
    """The requests.

    Args:
        database: where the rows are.
        stale_s: seconds after which a request that never ended counts as cut off.
    """

    def __init__(self, database: Database, stale_s: float) -> None:
        self._database = database
        self._stale_s = stale_s

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
                if row is not None and row.created_at > time.time() - self._stale_s:
                    break
                if row is None:
                    row = IdempotentRequest(owner=owner, key=key)
                row.created_at = time.time()
                session.add(row)
                session.flush()
                return None
        raise Problem("idempotency-in-progress", headers={"Retry-After": "5"})

    def undo(self, owner: str, key: str) -> None:
        """Forget a request that became no job: it may be sent again."""
        with self._database.write() as session:
            session.execute(
                delete(IdempotentRequest).where(
                    IdempotentRequest.owner == owner,
                    IdempotentRequest.key == key,
                    IdempotentRequest.job_id.is_(None),
                )
            )

    def expire(self, older_than_s: float) -> None:
        """Forget requests that are older than this."""
        with self._database.write() as session:
            session.execute(
                delete(IdempotentRequest).where(IdempotentRequest.created_at < time.time() - older_than_s)
            )

"""Webhook messages that are to be delivered, beside the jobs that they are about."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.database import Database
from app.store.tables import Delivery, Job

BACKOFF_S: Final = (5, 30, 120, 600, 3600, 4 * 3600, 12 * 3600)
"""Seconds from one attempt to the next; after the last, a message is given up."""
_CLAIM_S: Final = 60.0
"""Seconds for which an attempt keeps others away; longer than it may take."""


@dataclass(frozen=True)
class Due:
    """A message whose time has come, with what it is about."""

    id: str
    job: Job
    url: str
    host: str


def announce(session: Session, job: Job) -> None:
    """Put the message about a job's end beside it, if its sender wants one; in the caller's transaction."""
    if job.callback_url is not None:
        now = time.time()
        session.add(
            Delivery(
                id=f"msg_{secrets.token_hex(16)}",
                job_id=job.id,
                host=(urlsplit(job.callback_url).hostname or "")[:255],
                created_at=now,
                status="pending",
                attempts=0,
                next_at=now,
            )
        )


class DeliveryStore:
    """The messages.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, busy: Collection[str]) -> Due | None:
        """The message that has been due longest and goes to none of the ``busy`` hosts, kept from others while it is sent."""
        due = (
            select(Delivery)
            .where(
                Delivery.status == "pending",
                Delivery.next_at <= time.time(),
                Delivery.host.not_in(busy),
            )
            .order_by(Delivery.next_at)
            .limit(1)
        )
        with self._database.read() as session:
            if session.scalar(due.with_only_columns(Delivery.id)) is None:
                return None
        with self._database.write() as session:
            delivery = session.scalar(due.with_for_update(skip_locked=True))
            if delivery is None:
                return None
            job = session.get_one(Job, delivery.job_id)
            delivery.next_at = time.time() + _CLAIM_S
            return Due(delivery.id, job, job.callback_url or "", delivery.host)

    def settle(self, delivery_id: str, answer: str, *, delivered: bool) -> None:
        """Note how an attempt went: delivered, to be tried again, or given up after the last one."""
        with self._database.write() as session:
            delivery = session.get(Delivery, delivery_id, with_for_update=True)
            if delivery is None:  # its job was erased
                return
            waits = BACKOFF_S[delivery.attempts :]
            delivery.attempts += 1
            delivery.answer = answer[:255]
            if delivered:
                delivery.status = "delivered"
            elif waits:
                delivery.next_at = time.time() + waits[0]
            else:
                delivery.status = "given-up"

    def of_job(self, job_id: str) -> Sequence[Delivery]:
        """The messages about a job."""
        query = select(Delivery).where(Delivery.job_id == job_id).order_by(Delivery.created_at)
        with self._database.read() as session:
            return session.scalars(query).all()

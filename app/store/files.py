"""Model files and the rows that say they exist, kept in step."""

from __future__ import annotations

import time
from contextlib import suppress

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import Problem
from app.store.blobs import Blobs, Incoming
from app.store.database import Database
from app.store.tables import Blob, Job


class Files:
    """The files of jobs; every method runs inside its caller's transaction.

    Args:
        blobs: where they lie.
    """

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs

    def keep(self, session: Session, incoming: Incoming) -> None:
        """Keep a received file under its hash; the blob's row is locked until the transaction ends."""
        sha256 = incoming.sha256
        while session.get(Blob, sha256, with_for_update=True, populate_existing=True) is None:
            with suppress(IntegrityError), session.begin_nested():  # another transaction may be first
                session.add(Blob(sha256=sha256, size_bytes=incoming.size_bytes, created_at=time.time()))
        self.blobs.keep(incoming)

    def drop_unused(self, session: Session, sha256: str) -> None:
        """Erase a file that no job refers to."""
        blob = session.get(Blob, sha256, with_for_update=True)
        users = (
            select(func.count())
            .select_from(Job)
            .where(or_(Job.sha256 == sha256, Job.repaired_sha256 == sha256))
        )
        if blob is not None and session.scalar(users) == 0:
            session.delete(blob)
            session.flush()
            self.blobs.remove(sha256)

    def sweep(self, database: Database, older_than_s: float) -> None:
        """Erase old files that no row knows: what a transaction left behind that was never committed."""
        for sha256 in self.blobs.older(older_than_s):
            with suppress(IntegrityError), database.write() as session:
                if session.get(Blob, sha256) is None:
                    row = Blob(sha256=sha256, size_bytes=0, created_at=time.time())
                    session.add(row)
                    session.flush()  # from here on nobody else can keep this file
                    self.blobs.remove(sha256)
                    session.delete(row)


def used_bytes(session: Session) -> int:
    """What all kept files take together, in bytes."""
    return int(session.scalar(select(func.coalesce(func.sum(Blob.size_bytes), 0))) or 0)


def storage_full() -> Problem:
    """The answer while there is no room for another file."""
    return Problem("storage-full", headers={"Retry-After": "600"})

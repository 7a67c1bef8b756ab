"""API keys: who may call, and what for.  A key is shown once; the database has its secret's hash alone.

A key reads ``usk_ID_SECRET``.  The secret has 256 random bits, so one SHA-256 protects it as well as any
slow hash would, and checking it costs nothing that a stranger could run up.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from typing import Final, Literal, get_args

from sqlalchemy import select

from app.store.database import Database
from app.store.tables import ApiKey

Scope = Literal["read", "write", "metrics"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
"""``read``: look at one's own diagnoses.  ``write``: send and erase them.  ``metrics``: ``GET /metrics``."""

_PREFIX: Final = "usk"
_UNKNOWN: Final = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
"""Compared with where there is no key of that id, so that both take the same time."""


class KeyStore:
    """The keys.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, scopes: Sequence[Scope], expires_at: float | None = None) -> tuple[str, str]:
        """Make a key: its id, and the whole key, which cannot be told again."""
        key_id, secret = secrets.token_hex(8), secrets.token_hex(32)
        row = ApiKey(
            id=key_id,
            name=name[:100],
            secret_sha256=_hash(secret),
            scopes=sorted(set(scopes)),
            created_at=time.time(),
            expires_at=expires_at,
        )
        with self._database.write() as session:
            session.add(row)
        return key_id, f"{_PREFIX}_{key_id}_{secret}"

    def every(self) -> Sequence[ApiKey]:
        """All keys, revoked and expired ones included, the oldest first."""
        with self._database.read() as session:
            return session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)).all()

    def exist(self) -> bool:
        """Whether a key was ever made: from then on callers need one, even if all are revoked."""
        with self._database.read() as session:
            return session.scalar(select(ApiKey.id).limit(1)) is not None

    def revoke(self, key_id: str) -> bool:
        """End a key's life; whether there is one of this id."""
        with self._database.write() as session:
            row = session.get(ApiKey, key_id)
            if row is not None and row.revoked_at is None:
                row.revoked_at = time.time()
            return row is not None

    def verify(self, presented: str) -> ApiKey | None:
        """The key that a caller presented, if it is one that holds today."""
        prefix, _, rest = presented.partition("_")
        key_id, _, secret = rest.partition("_")
        row = self.valid(key_id) if prefix == _PREFIX else None
        right = hmac.compare_digest(_hash(secret), _UNKNOWN if row is None else row.secret_sha256)
        return row if right else None

    def valid(self, key_id: str) -> ApiKey | None:
        """The key of this id if it is neither revoked nor expired."""
        with self._database.read() as session:
            row = session.get(ApiKey, key_id)
        if row is None or row.revoked_at is not None:
            return None
        return None if row.expires_at is not None and row.expires_at <= time.time() else row


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

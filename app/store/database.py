"""The database: SQLite in WAL mode or PostgreSQL, by URL; one transaction a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, create_engine, event, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # an accepted job survives a power cut
    "PRAGMA busy_timeout=30000",
    "PRAGMA foreign_keys=ON",
)

_POSTGRESQL: Final = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
"""How libpq notices a server that is gone without a word: seconds, but ``tcp_user_timeout`` in milliseconds."""
_STATEMENT_MS = 30_000
"""Milliseconds that a statement may take, the wait for locks included; migrations take as long as they take."""
_MIGRATION_LOCK = 0x756E73747563
"""The bytes of "unstuc": a number that nothing else on the same database server is likely to lock."""


class Database:
    """Sessions on one database.

    SQLite takes its write lock at the start of a writing transaction (``BEGIN IMMEDIATE``), so that a
    read followed by a write is never refused half-way; PostgreSQL locks the rows that are selected
    ``FOR UPDATE``.

    Args:
        url: SQLAlchemy URL.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            self._engine = create_engine(parsed)
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            self._engine = create_engine(parsed, pool_pre_ping=True, connect_args=_postgresql(parsed))
        self._writer = self._engine.execution_options(writes=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes; committed at the end of the block, undone by an exception."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Bring the tables to this version of the service."""
        from alembic import command  # noqa: PLC0415 - only the process that migrates pays for it
        from alembic.config import Config  # noqa: PLC0415 - same

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._writer.connect() as connection, connection.begin():
            if connection.dialect.name == "postgresql":  # of several processes that start, one migrates
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _postgresql(url: URL) -> dict[str, Any]:
    """What libpq is told beside a URL; the URL's own word counts more."""
    options = f"-c statement_timeout={_STATEMENT_MS} {url.query.get('options', '')}"
    return {name: url.query.get(name, value) for name, value in _POSTGRESQL.items()} | {"options": options}


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

"""The databases and brokers that tests run on: SQLite always, the others where the environment names them.

``UNSTUCK_TEST_POSTGRESQL`` is an SQLAlchemy URL, ``UNSTUCK_TEST_REDIS`` and ``UNSTUCK_TEST_RABBITMQ`` are
broker URLs; ``.ci/run`` sets all three.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

POSTGRESQL = os.environ.get("UNSTUCK_TEST_POSTGRESQL", "")
BROKERS = {
    name: url
    for name, url in (
        ("redis", os.environ.get("UNSTUCK_TEST_REDIS", "")),
        ("rabbitmq", os.environ.get("UNSTUCK_TEST_RABBITMQ", "")),
    )
    if url
}
DATABASES = ("sqlite", "postgresql") if POSTGRESQL else ("sqlite",)


@contextmanager
def database_url(name: str) -> Iterator[str]:
    """The URL of an empty database; empty for SQLite in the data folder."""
    if name == "sqlite":
        yield ""
        return
    schema = f"test_{secrets.token_hex(6)}"
    engine = create_engine(POSTGRESQL, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    try:
        url = make_url(POSTGRESQL).update_query_dict({"options": f"-csearch_path={schema}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))

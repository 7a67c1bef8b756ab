"""PostgreSQL behind a network that drops packets without a word: what asks it gets an error, and goes on later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.store import database
from app.store.database import Database
from tests.app.backends import DATABASES, database_url
from tests.faults.gate import gated
from tests.waiting import PATIENCE_S, until

SERVERS = [name for name in DATABASES if name != "sqlite"]


@pytest.mark.parametrize("name", SERVERS)
def test_a_network_that_drops_packets_ends_requests_with_an_error_and_work_goes_on(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database._POSTGRESQL, "tcp_user_timeout", 500)
    monkeypatch.setitem(database._POSTGRESQL, "connect_timeout", 2)
    with database_url(name) as behind, gated(behind) as (gate, url), ThreadPoolExecutor(1) as pool:
        store = Database(url)

        def ask(meanwhile: Callable[[], None] = lambda: None) -> int | None:
            with store.read() as session:
                session.execute(select(1))
                meanwhile()
                return session.scalar(select(func.length("abc")))

        assert ask() == 3
        with pytest.raises(DBAPIError):
            pool.submit(ask, gate.swallow).result(PATIENCE_S)
        with pytest.raises(DBAPIError):
            pool.submit(ask).result(PATIENCE_S)
        gate.open()
        assert ask() == 3
        store.close()


@pytest.mark.parametrize("name", SERVERS)
def test_a_statement_is_ended_at_its_time_but_not_a_migration(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_STATEMENT_MS", 100)
    with database_url(name) as url:
        store = Database(url)
        with pytest.raises(DBAPIError, match="statement timeout"), store.read() as session:
            session.execute(text("SELECT pg_sleep(600)"))
        other = create_engine(url, poolclass=NullPool).connect()
        other.execute(select(func.pg_advisory_lock(database._MIGRATION_LOCK)))
        other.commit()
        migrating = threading.Thread(target=store.migrate)
        migrating.start()
        waited = text(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' "
            "AND datname = current_database() AND clock_timestamp() - query_start > interval '0.3 s'"
        )
        until(lambda: other.scalar(waited) or not migrating.is_alive())
        other.close()
        migrating.join(PATIENCE_S)
        with store.read() as session:
            assert session.scalar(text("SELECT count(*) FROM jobs")) == 0
        store.close()

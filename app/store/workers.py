"""Workers and their signs of life."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, select

from app.jobs.lanes import Lane
from app.store import tallies
from app.store.database import Database
from app.store.tables import Worker


@dataclass(frozen=True)
class Gpu:
    """What a GPU does.

    Attributes:
        uuid: its own name, the same from whichever process it is looked at.
        name: its model's.
        utilization: share of the time in which it was busy; None where it does not tell.
        memory_used_bytes: of its memory, by whomever.
        memory_bytes: what it has.
    """

    uuid: str
    name: str
    utilization: float | None
    memory_used_bytes: int
    memory_bytes: int


class WorkerStore:
    """What workers say of themselves.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(
        self,
        worker: str,
        *,
        lanes: Sequence[Lane],
        ready: bool,
        memory_bytes: int,
        sandbox: dict[str, Any],
        gpus: Sequence[Gpu] = (),
    ) -> None:
        """Note a worker's sign of life.

        Args:
            worker: its name.
            lanes: those that it serves.
            ready: whether it could start a job of each at once.
            memory_bytes: resident memory of its processes together, children included.
            sandbox: what protects its machine.
            gpus: those of its machine, and what they do.
        """
        now = time.time()
        with self._database.write() as session:
            row = session.get(Worker, worker) or Worker(id=worker, started_at=now)
            row.heartbeat_at, row.lanes, row.ready = now, list(lanes), ready
            row.memory_bytes, row.sandbox = memory_bytes, sandbox
            row.gpus = [asdict(gpu) for gpu in gpus]
            session.add(row)

    def count_exits(self, causes: Mapping[str, int]) -> None:
        """Count children that have ended, by cause."""
        with self._database.write() as session:
            tallies.add(session, tallies.of_exits(causes))

    def every(self) -> Sequence[Worker]:
        """All workers, in the order of their names."""
        with self._database.read() as session:
            return session.scalars(select(Worker).order_by(Worker.id)).all()

    def forget(self, silent_for_s: float) -> None:
        """Delete the rows of workers that are long gone."""
        with self._database.write() as session:
            session.execute(delete(Worker).where(Worker.heartbeat_at < time.time() - silent_for_s))

"""Waiting for jobs to move: one look at the table serves all requests that wait, however many there are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from starlette.concurrency import run_in_threadpool

from app.store.jobs import JobStore, Watched

_LOOK_S: Final = 0.05
"""Seconds between two looks while anybody waits: what a report can be late by."""


@dataclass(eq=False)
class _Wait:
    """A request that waits until a job is elsewhere than it knows."""

    job_id: str
    known: Watched | None
    moved: asyncio.Future[Watched | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def answer(self, seen: Watched | None) -> None:
        """Tell the request where its job is, if that is news to it."""
        if not self.moved.done() and (seen is None or seen != self.known):
            self.moved.set_result(seen)

    def fail(self, error: Exception) -> None:
        """Tell the request that its job cannot be looked at."""
        if not self.moved.done():
            self.moved.set_exception(error)


class Following:
    """Looks at the jobs that requests of this process wait for; does nothing while none waits.

    Args:
        jobs: where they are.
    """

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._waits: set[_Wait] = set()
        self._looking: asyncio.Task[None] | None = None

    async def moved(self, job_id: str, known: Watched | None) -> Watched | None:
        """Where a job is, as soon as that is not ``known`` any more; None once it has been erased.

        Args:
            job_id: of the job.
            known: where the caller knows it to be; None asks for an answer at the next look.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        wait = _Wait(job_id, known)
        self._waits.add(wait)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            return await wait.moved
        finally:
            self._waits.discard(wait)

    async def _look(self) -> None:
        try:
            while self._waits:
                await self._tell(tuple(self._waits))
                await asyncio.sleep(_LOOK_S)
        finally:
            self._looking = None

    async def _tell(self, waits: tuple[_Wait, ...]) -> None:
        try:
            seen = await run_in_threadpool(self._jobs.watch, {wait.job_id for wait in waits})
        except Exception as error:
            for wait in waits:
                wait.fail(error)
        else:
            for wait in waits:
                wait.answer(seen.get(wait.job_id))

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from sqlalchemy.exc import OperationalError

from analyzers.options import Options
from app.api.following import Following
from app.store import Store
from app.store.jobs import Bounds, JobStore, Submission, Watched
from app.store.tables import Job
from tests.app.loops import ran

BOUNDS = Bounds(queue_size=10, owner_jobs=10, disk_bytes=None)
QUEUED = Watched("queued", 0)


class Looks:
    """The store's jobs, every look at them counted; the first ``failing`` of them fail."""

    def __init__(self, jobs: JobStore, failing: int = 0) -> None:
        self._jobs = jobs
        self._failing = failing
        self.count = 0

    def watch(self, job_ids: Collection[str]) -> dict[str, Watched]:
        self.count += 1
        if self.count <= self._failing:
            raise OperationalError("select", {}, Exception("gone"))
        return self._jobs.watch(job_ids)


def submit(store: Store) -> Job:
    with store.blobs.incoming() as incoming:
        incoming.write(b"model")
        return store.jobs.submit(incoming, Submission("model.h5", Options()), BOUNDS)


def followed(looks: Looks) -> Following:
    return Following(looks)  # type: ignore[arg-type]  # all of a store that is asked for


def test_where_a_job_is_comes_at_once_to_those_who_do_not_know_and_when_it_moves_to_those_who_do(
    store: Store,
) -> None:
    job, looks = submit(store), Looks(store.jobs)

    async def follow() -> list[Watched | None]:
        following = followed(looks)
        assert await following.moved(job.id, None) == QUEUED
        waiting = [asyncio.create_task(following.moved(job.id, QUEUED)) for _ in range(100)]
        done, _ = await asyncio.wait(waiting, timeout=0.3)
        assert not done
        lease = store.leases.claim(job.id, "w", lease_s=10)
        assert lease is not None
        return await asyncio.gather(*waiting)

    assert ran(follow()) == [Watched("running", 0)] * 100
    assert looks.count < 50, "one look serves all"


def test_nobody_looks_while_nobody_waits(store: Store) -> None:
    job, looks = submit(store), Looks(store.jobs)

    async def follow() -> None:
        following = followed(looks)
        await following.moved(job.id, None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(following.moved(job.id, QUEUED), 0.2)
        await asyncio.sleep(0.2)
        before = looks.count
        await asyncio.sleep(0.3)
        assert looks.count == before
        assert await following.moved(job.id, None) == QUEUED, "and again for the next"

    ran(follow())


def test_a_job_that_is_erased_ends_the_wait(store: Store) -> None:
    job, looks = submit(store), Looks(store.jobs)

    async def follow() -> Watched | None:
        waiting = asyncio.create_task(followed(looks).moved(job.id, QUEUED))
        await asyncio.sleep(0.1)
        store.jobs.erase(job.id)
        return await waiting

    assert ran(follow()) is None


def test_a_database_that_does_not_answer_is_told_to_all_and_asked_again_by_the_next(store: Store) -> None:
    job, looks = submit(store), Looks(store.jobs, failing=1)

    async def follow() -> tuple[list[Watched | BaseException | None], Watched | None]:
        following = followed(looks)
        waits = [following.moved(job.id, QUEUED) for _ in range(3)]
        told = await asyncio.gather(*waits, return_exceptions=True)
        return told, await following.moved(job.id, None)

    told, seen = ran(follow())
    assert [type(one) for one in told] == [OperationalError] * 3
    assert seen == QUEUED

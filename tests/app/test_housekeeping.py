from __future__ import annotations

import pytest

from analyzers.options import Options
from app.errors import Problem
from app.jobs.attendance import Attendance
from app.jobs.clock import DOUBT_S
from app.jobs.housekeeping import Housekeeper
from app.queue.embedded import EmbeddedQueue
from app.secret import Secret
from app.settings import Settings
from app.store import Store
from app.store.jobs import Bounds, Submission
from app.webhooks.sender import Sender
from tests.app.clocks import Clocks

DAY_S = 24 * 3600.0
PASS_S = 61.0
"""A little longer than from one sweep to the next."""


def ended_job(store: Store) -> str:
    with store.blobs.incoming() as incoming:
        incoming.write(b"model")
        job = store.jobs.submit(incoming, Submission("m.h5", Options()), Bounds(10, 10, None))
    claimed = store.leases.claim(job.id, "w", lease_s=10)
    assert claimed is not None
    store.leases.fail(claimed[0], Problem("no-layers"))
    return job.id


def there(store: Store, job_id: str) -> bool:
    return job_id in store.jobs.watch([job_id])


@pytest.fixture
def housekeeper(store: Store, settings: Settings, clocks: Clocks) -> Housekeeper:
    queue = EmbeddedQueue(store.leases.next_waiting)
    sender = Sender(settings, Secret("s" * 32))
    return Housekeeper(settings, store, queue, sender, Attendance(store.workers))


def test_a_clock_that_jumps_ahead_erases_nothing_if_it_is_put_right_within_the_hour(
    store: Store, housekeeper: Housekeeper, clocks: Clocks
) -> None:
    job_id = ended_job(store)
    for jump_s in (30 * DAY_S, -30 * DAY_S):
        clocks.wall += jump_s
        for _ in range(3):
            clocks.go(PASS_S)
            housekeeper.tick()
    clocks.go(DOUBT_S)
    housekeeper.tick()
    assert there(store, job_id)


def test_what_is_old_is_erased_by_a_clock_that_goes_on_and_an_hour_after_one_that_jumped(
    store: Store, housekeeper: Housekeeper, clocks: Clocks
) -> None:
    job_id = ended_job(store)
    housekeeper.tick()
    clocks.go(8 * DAY_S)
    housekeeper.tick()
    assert not there(store, job_id)
    job_id = ended_job(store)
    clocks.wall += 8 * DAY_S
    clocks.go(PASS_S)
    housekeeper.tick()
    assert there(store, job_id)
    clocks.go(DOUBT_S)
    housekeeper.tick()
    assert not there(store, job_id)

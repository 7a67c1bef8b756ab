from __future__ import annotations

from collections.abc import Callable

import pytest

from app.jobs import states
from app.jobs.states import IllegalTransitionError, JobState, LeaseLostError

TOKEN, OTHER = "t", "u"
RUNNING = states.claim(JobState(), token=TOKEN, now=100.0, lease_s=15)


def test_a_claimed_job_is_held_by_its_token() -> None:
    assert JobState("running", 1, "t", 100.0, 115.0) == RUNNING
    assert states.holds(RUNNING, "t")
    assert not states.holds(RUNNING, "other")


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "cancelled"])
def test_only_a_waiting_job_is_claimed(status: states.Status) -> None:
    with pytest.raises(IllegalTransitionError):
        states.claim(JobState(status), token=TOKEN, now=0, lease_s=1)


def test_renewing_moves_the_lease_and_keeps_the_deadline() -> None:
    renewed = states.renew(RUNNING, token=TOKEN, now=110.0, lease_s=15)
    assert (renewed.heartbeat_at, renewed.lease_expires_at) == (110.0, 125.0)


@pytest.mark.parametrize("state", [RUNNING, JobState("cancelled"), JobState("queued", 1)])
def test_without_the_lease_nothing_is_finished(state: JobState) -> None:
    transitions: tuple[Callable[[], JobState], ...] = (
        lambda: states.finish(state, token=OTHER, succeeded=True),
        lambda: states.renew(state, token=OTHER, now=0, lease_s=1),
        lambda: states.release(state, token=OTHER),
    )
    for transition in transitions:
        with pytest.raises(LeaseLostError):
            transition()


@pytest.mark.parametrize(("succeeded", "status"), [(True, "succeeded"), (False, "failed")])
def test_finishing_ends_the_job_and_its_lease(succeeded: bool, status: states.Status) -> None:
    assert states.finish(RUNNING, token=TOKEN, succeeded=succeeded) == JobState(status, 1)


def test_a_released_job_waits_again_and_its_attempt_does_not_count() -> None:
    assert states.release(RUNNING, token=TOKEN) == JobState("queued", 0)


def test_a_lost_job_is_tried_twice_and_then_fails() -> None:
    once = states.lose(RUNNING, attempts=2)
    assert once == JobState("queued", 1)
    again = states.claim(once, token=OTHER, now=200.0, lease_s=15)
    assert states.lose(again, attempts=2) == JobState("failed", 2)


def test_cancelling_ends_what_has_not_ended() -> None:
    assert states.cancel(JobState()) == JobState("cancelled")
    assert states.cancel(RUNNING) == JobState("cancelled", 1)
    for status in states.ENDED:
        with pytest.raises(IllegalTransitionError):
            states.cancel(JobState(status))

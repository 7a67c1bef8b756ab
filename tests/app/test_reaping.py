"""Silence, counted on the watcher's own clock: no wall clock that jumps can end a lease."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from app.jobs.execution import RENEWALS
from app.jobs.housekeeping import TICK_S
from app.jobs.reaping import Sign, Watchman
from app.settings import Settings

FIRST, SECOND = "t", "u"
SIGN = Sign("job", FIRST, heartbeat_at=1000.0, lease_s=15.0)


def test_a_sign_that_stands_still_for_its_lease_is_silent() -> None:
    watchman = Watchman()
    assert watchman.silent([SIGN], now=0.0) == []
    assert watchman.silent([SIGN], now=15.0) == []
    assert watchman.silent([SIGN], now=15.1) == [SIGN]


def test_every_new_sign_is_listened_to_anew_whatever_its_clock_says() -> None:
    watchman = Watchman()
    watchman.silent([SIGN], now=0.0)
    for number, clock in enumerate((1e9, 0.0, 5.0, -3600.0)):  # jumps ahead, and back
        sign = replace(SIGN, heartbeat_at=clock)
        assert watchman.silent([sign], now=14.0 * (number + 1)) == []


def test_another_worker_of_the_same_job_is_another_sign() -> None:
    watchman = Watchman()
    watchman.silent([SIGN], now=0.0)
    assert watchman.silent([replace(SIGN, token=SECOND)], now=20.0) == []


def test_after_a_time_without_database_everybody_is_listened_to_anew() -> None:
    watchman = Watchman()
    watchman.silent([SIGN], now=0.0)
    watchman.forget()
    assert watchman.silent([SIGN], now=100.0) == []
    assert watchman.silent([SIGN], now=116.0) == [SIGN]


@pytest.mark.parametrize("died_s", [30.0, 30.9, 31.5, 32.99, 33.0])
@pytest.mark.parametrize("ticks_from_s", [0.0, 0.4, 0.95])
def test_by_default_a_dead_worker_is_noticed_seconds_before_the_twentieth(
    died_s: float, ticks_from_s: float
) -> None:
    lease_s = Settings.model_fields["lease_s"].default
    renewed_every_s = lease_s / RENEWALS
    watchman = Watchman()
    for now in itertools.count(ticks_from_s, TICK_S):
        renewed_s = min(now, died_s) // renewed_every_s * renewed_every_s
        if watchman.silent([replace(SIGN, heartbeat_at=renewed_s, lease_s=lease_s)], now):
            break
    assert now > died_s
    assert now - died_s < 18

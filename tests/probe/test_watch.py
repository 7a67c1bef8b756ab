"""The clock of a diagnosis: progress never falls, the deadline ends it."""

from __future__ import annotations

import pytest

from analyzers.probe.watch import OutOfTimeError, Watch
from analyzers.progress import Progress, silent


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _watch(total: int = 100) -> tuple[Watch, Clock, list[Progress]]:
    told: list[Progress] = []
    clock = Clock()
    return Watch(told.append, 60, total, clock=clock), clock, told


def test_steps_are_counted_and_told_at_most_five_times_a_second() -> None:
    watch, clock, told = _watch()
    watch.begin("probing", "training")
    for _ in range(50):
        clock.now += 0.05
        watch.tick(loss=1.5)

    assert watch.steps == 50
    assert watch.remaining_steps == 50
    assert 10 <= len(told) <= 15
    assert told[0] == Progress("probing", told[0].fraction, "training", 0, None)
    assert told[-1].loss == 1.5
    assert told[-1].step is not None
    assert watch.steps - told[-1].step < 5


def test_progress_never_falls_nor_reaches_the_end() -> None:
    watch, clock, told = _watch(total=20)
    for stage in ("building", "probing", "fixing", "proving"):
        watch.begin(stage, "more")
        for _ in range(15):
            clock.now += 0.3
            watch.tick(1.0)

    fractions = [one.fraction for one in told]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] <= fractions[-1] < 1
    assert watch.remaining_steps == 0
    assert {one.stage for one in told} == {"building", "probing", "fixing", "proving"}


def test_the_deadline_ends_steps_and_stages() -> None:
    watch, clock, _ = _watch()
    clock.now = 60.0
    watch.tick(1.0)
    clock.now = 60.1
    with pytest.raises(OutOfTimeError):
        watch.tick(1.0)
    with pytest.raises(OutOfTimeError):
        watch.begin("fixing", "too late")


def test_steps_of_the_proof_are_not_spared() -> None:
    watch = Watch(lambda progress: None, 60, 100, proof_steps=40)
    watch.tick(count=59)
    assert watch.can_spare
    watch.tick()
    assert not watch.can_spare
    assert watch.remaining_steps == 40


def test_a_granted_time_moves_the_deadline_once() -> None:
    now = [0.0]
    watch = Watch(silent, 10, 100, clock=lambda: now[0])
    watch.grant(5)
    watch.grant(5)
    now[0] = 14.0
    watch.tick()
    now[0] = 16.0
    with pytest.raises(OutOfTimeError):
        watch.tick()

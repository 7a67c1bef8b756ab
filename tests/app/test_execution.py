"""Executing jobs with real forked children that do what the file says."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from analyzers.options import Options
from analyzers.report import Report
from app.jobs.attendance import Attendance
from app.jobs.execution import Executor
from app.jobs.housekeeping import Housekeeper
from app.queue.embedded import EmbeddedQueue
from app.secret import Secret
from app.settings import Settings
from app.store import Store, open_store
from app.store.jobs import Bounds, Submission
from app.store.tables import Job
from app.webhooks.sender import Sender
from app.worker.diagnosis import GRACE_S, Children, Diagnosis, Task
from app.worker.launcher import Zygote
from tests.app.scripted_zygote import script
from tests.reports import factory
from tests.waiting import PATIENCE_S, join, until

MODULE = "tests.app.scripted_zygote"


class Service:
    """A worker without its loop."""

    def __init__(self, settings: Settings, children: Children) -> None:
        self.store = open_store(settings)
        self.store.database.migrate()
        self.traces: list[str] = []
        self.stopping = threading.Event()
        scratch = settings.data / "scratch"
        scratch.mkdir()
        self.scratch = scratch
        queue = EmbeddedQueue(self.store.leases.next_waiting)
        self.executor = Executor(self.store, queue, children, scratch, settings, "w", self.stopping)

    def submit(self, content: bytes, options: Options | None = None) -> Job:
        with self.store.blobs.incoming() as incoming:
            incoming.write(content)
            submission = Submission("model.h5", options or Options())
            return self.store.jobs.submit(incoming, submission, Bounds(10, 10, None))

    def execute(self, content: bytes, options: Options | None = None) -> Job:
        job = self.submit(content, options)
        self.executor.execute(job.id)
        return self.store.jobs.get(job.id)

    def in_background(self, job: Job) -> threading.Thread:
        thread = threading.Thread(target=self.executor.execute, args=(job.id,))
        thread.start()
        self.wait_for_event(self.store, job)
        return thread

    @staticmethod
    def wait_for_event(store: Store, job: Job) -> None:
        until(lambda: store.jobs.watch({job.id})[job.id].last_event > 0)


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Children]:
    settings = Settings(
        data=tmp_path_factory.mktemp("children"), memory_bytes=2**30, reading_wall_s=PATIENCE_S
    )
    children = Children(settings, lambda _: None)
    children.reading = Zygote(MODULE)
    children.probe = Zygote(MODULE)
    with children:
        children.start()
        yield children


@pytest.fixture
def service(settings: Settings, children: Children) -> Iterator[Service]:
    service = Service(settings, children)
    children.exits()  # those of other tests
    yield service
    assert list(service.scratch.iterdir()) == []
    service.store.database.close()


def code(job: Job) -> str | None:
    return None if job.error is None else job.error["code"]


def test_a_job_ends_with_report_repaired_model_and_events(service: Service) -> None:
    job = service.execute(script())
    assert (job.status, code(job)) == ("succeeded", None)
    assert job.report is not None
    report = Report.model_validate_json(job.report)
    assert (report.id, report.model.sha256) == (job.id, job.sha256)
    assert report.fix is not None
    assert report.fix.repaired_model == f"/v1/diagnoses/{job.id}/repaired-model"
    assert job.repaired_sha256 is not None
    assert b"".join(service.store.blobs.read(job.repaired_sha256)[1]) == b"repaired"
    steps = [event.data["step"] for event in service.store.jobs.events(job.id, after=0)]
    assert len(steps) >= 5
    assert steps == sorted(steps)


def test_without_probe_one_child_does_it_all(service: Service) -> None:
    job = service.execute(script(probe="crash"), Options(probe="off"))
    assert (job.status, job.repaired_sha256) == ("succeeded", None)
    assert job.report is not None
    fix = Report.model_validate_json(job.report).fix
    assert fix is not None
    assert fix.repaired_model is None


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({"reading": "unusable"}, ("no-layers", "input", "unusable-file")),
        ({"reading": "crash"}, ("reading-crash", "input", "signal")),
        ({"reading": "fault"}, ("diagnosis-failed", "internal", "fault")),
        ({"reading": "greedy"}, ("reading-memory", "input", "out-of-memory")),
        ({"probe": "unusable"}, ("no-layers", "input", "unusable-file")),
        ({"probe": "crash"}, ("probe-crash", "input", "signal")),
        ({"probe": "fault"}, ("diagnosis-failed", "internal", "fault")),
        ({"probe": "greedy"}, ("model-too-large", "input", "out-of-memory")),
    ],
)
def test_each_end_has_its_code_and_is_counted(
    service: Service, children: Children, steps: dict[str, str], expected: tuple[str, str, str]
) -> None:
    job = service.execute(script(**steps))
    assert job.status == "failed"
    assert job.error is not None
    read = {} if "reading" in steps else {"finished": 1}
    assert (job.error["code"], job.error["kind"]) == expected[:2]
    assert children.exits() == read | {expected[2]: 1}


def test_a_reading_child_that_hangs_is_ended_at_its_time(service: Service, children: Children) -> None:
    hasty = Children(service.executor.settings.model_copy(update={"reading_wall_s": 0.5}), lambda _: None)
    hasty.reading, hasty.probe = children.reading, children.probe
    service.executor = replace(service.executor, children=hasty)
    job = service.execute(script(reading="hang"))
    assert (job.status, code(job)) == ("failed", "reading-timeout")
    assert children.exits() == {"timeout": 1}


@pytest.mark.parametrize(("late_s", "expected"), [(0.0, None), (120.0, "probe-timeout")])
def test_a_job_may_run_for_as_long_as_its_children_together(
    service: Service, monkeypatch: pytest.MonkeyPatch, late_s: float, expected: str | None
) -> None:
    settings, real = service.executor.settings, time.monotonic

    class Slow(Children):
        def diagnose(self, task: Task) -> Diagnosis:
            took_s = settings.reading_wall_s + task.options.longest_s + GRACE_S + late_s
            monkeypatch.setattr(time, "monotonic", lambda: real() + took_s)
            task.watch()
            return Diagnosis(factory.report(), None)

    with Slow(settings, lambda _: None) as slow:
        service.executor = replace(service.executor, children=slow)
        assert code(service.execute(script(), Options(budget_s=600))) == expected


def test_a_killed_child_is_tried_again_and_then_the_job_fails(service: Service, children: Children) -> None:
    job = service.execute(script(probe="kill"))
    assert (job.status, job.attempt) == ("queued", 1)
    service.executor.execute(job.id)
    job = service.store.jobs.get(job.id)
    assert (job.status, job.attempt, code(job)) == ("failed", 2, "worker-lost")
    assert children.exits() == {"finished": 2, "killed": 2}


def test_erasing_a_running_job_kills_its_child(service: Service, children: Children) -> None:
    job = service.submit(script(probe="hang"))
    thread = service.in_background(job)
    service.store.jobs.erase(job.id)
    join(thread)
    assert service.store.jobs.watch({job.id}) == {}
    assert children.exits() == {"finished": 1, "cancelled": 1}


def test_a_worker_that_is_stopped_gives_its_job_back(service: Service, children: Children) -> None:
    job = service.submit(script(probe="hang"))
    thread = service.in_background(job)
    service.stopping.set()
    join(thread)
    back = service.store.jobs.get(job.id)
    assert (back.status, back.attempt) == ("queued", 0)
    assert children.exits() == {"finished": 1, "stopped": 1}


def test_the_lease_is_renewed_while_the_child_works(service: Service) -> None:
    job = service.submit(script(probe="hang"))
    thread = service.in_background(job)
    (first,) = service.store.leases.signs()
    until(lambda: service.store.leases.signs()[0].heartbeat_at > first.heartbeat_at)
    assert service.store.leases.signs()[0].token == first.token
    service.stopping.set()
    join(thread)


def test_a_clock_that_jumps_ends_no_job(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = service.executor.settings.model_copy(update={"lease_s": 8.0})
    service.executor = replace(service.executor, settings=settings)
    job = service.submit(script(probe="hang"))
    thread = service.in_background(job)
    sender = Sender(settings, Secret("s" * 32))
    attendance = Attendance(service.store.workers)
    housekeeper = Housekeeper(settings, service.store, service.executor.queue, sender, attendance)
    real = time.time
    for jump_s in (7200.0, -7200.0, 0.0):
        (before,) = service.store.leases.signs()
        monkeypatch.setattr(time, "time", lambda jump_s=jump_s: real() + jump_s)
        while service.store.leases.signs() == [before]:  # until the lease is renewed by the new time
            housekeeper.tick()
            time.sleep(0.2)
        assert service.store.jobs.get(job.id).status == "running"
    service.stopping.set()
    join(thread)
    assert service.store.jobs.get(job.id).attempt == 0


def test_a_damaged_file_is_not_blamed_on_its_sender(service: Service) -> None:
    """Not even where it could still be read: its report would tell of another file."""
    job = service.submit(script())
    path = service.store.blobs.local(job.sha256)
    assert path is not None
    path.write_bytes(path.read_bytes() + b" ")
    service.executor.execute(job.id)
    assert code(service.store.jobs.get(job.id)) == "stored-file-damaged"


@pytest.mark.parametrize("deed", ["crash", "fault"])
def test_a_child_that_fails_on_a_full_disk_is_not_blamed_on_its_file(
    service: Service, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    job = service.execute(script(probe=deed))
    assert job.error is not None
    assert (code(job), job.error["status"], job.error["kind"]) == ("storage-full", 507, "internal")


def test_a_job_that_another_worker_took_is_left_alone(service: Service, tmp_path: Path) -> None:
    job = service.submit(script(probe="hang"))
    thread = service.in_background(job)
    other = "another"
    with service.store.database.write() as session:
        row = session.get(Job, job.id)
        assert row is not None
        row.lease_token = other
    join(thread)
    assert service.store.jobs.get(job.id).lease_token == other

"""The one code path of a job: claim, run the children, pass progress on, finish if it is still ours."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError
from structlog.contextvars import bound_contextvars

from analyzers.options import Options
from app import telemetry
from app.errors import Problem
from app.failures import log_failure
from app.jobs.states import LeaseLostError
from app.queue.port import JobQueue
from app.settings import Settings
from app.store import Store
from app.store.blobs import BlobsAwayError
from app.store.leases import Lease, LeaseStore
from app.store.tables import Job
from app.worker.diagnosis import Children, Diagnosis, ModelFile, Task, with_repaired_link
from app.worker.exits import ChildLostError
from app.worker.messages import ProgressMessage

_CHECK_S: Final = 0.25
"""Seconds between two looks at whether the job was cancelled."""
_EVENT_S: Final = 0.2
"""Seconds between two stored events of the same stage."""
RENEWALS: Final = 5
"""Times that a lease is renewed before it would expire."""
_STARTING_S: Final = 60
"""Seconds that a job may wait for a zygote that has just been started."""
_PATIENCE_S: Final = 120.0
"""Seconds for which a finished job waits for a database that does not answer."""
_RETRY_S: Final = 1.0
_NO_ROOM_BYTES: Final = 2**24
"""Free bytes below which a child that failed is taken to have found no room for its files."""
_FAILED: Final = frozenset({"reading-crash", "probe-crash", "diagnosis-failed"})
"""What a child that could not write ends as."""

_log = structlog.get_logger()


class StoppingError(Exception):
    """The worker is being stopped."""


@dataclass(frozen=True)
class Executor:
    """What executing a job needs.

    Attributes:
        store: the jobs.
        queue: where a job is announced that goes back.
        children: what runs a diagnosis.
        scratch: a folder of this worker's own.
        settings: lease and attempts.
        worker: this worker's name.
        stopping: set when the worker is being stopped.
    """

    store: Store
    queue: JobQueue
    children: Children
    scratch: Path
    settings: Settings
    worker: str
    stopping: threading.Event

    def execute(self, job_id: str) -> None:
        """Run a job to its end, unless somebody else has it or takes it."""
        claimed = self.store.leases.claim(job_id, self.worker, lease_s=self.settings.lease_s)
        if claimed is None:
            return
        lease, job = claimed
        with (
            bound_contextvars(job=job_id, attempt=job.attempt, request=job.request_id),
            telemetry.job_span(job_id, attempt=job.attempt, request_id=job.request_id) as span,
        ):
            _log.info("job started", size_bytes=job.size_bytes)
            started = time.monotonic()
            try:
                outcome = self._run(lease, job)
            except LeaseLostError:
                outcome = "lease lost"
            span.set_attribute("unstuck.outcome", outcome)
            _log.info("job ended", outcome=outcome, seconds=round(time.monotonic() - started, 3))

    def _run(self, lease: Lease, job: Job) -> str:
        scratch = self.scratch / f"{lease.job_id}-{lease.token}"
        leases = self.store.leases
        try:
            scratch.mkdir(mode=0o700)
            options = Options.model_validate(job.options)
            watch = self._watch(lease, _STARTING_S + self.children.longest_s(options))
            diagnosis = self._diagnose(lease, job, scratch, options, watch)
            self._store(lease, diagnosis, watch)
        except StoppingError:
            _patiently(lambda: leases.release(lease))
            self.queue.put(job.id, job.lane)
            return "released"
        except ChildLostError as error:
            self._lose(lease, job, str(error))
            return "child lost"
        except BlobsAwayError as error:
            log_failure("a file of a job could not be fetched or kept", error)
            self._lose(lease, job, "the store of the model files does not answer")
            return "files away"
        except LeaseLostError:
            raise
        except Exception as error:
            problem = self._problem(error)
            _patiently(lambda: leases.fail(lease, problem))
            return problem.code
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return "succeeded"

    def _lose(self, lease: Lease, job: Job, detail: str) -> None:
        """Let the job be tried again, or end it after its last attempt."""
        problem = Problem("worker-lost", detail)
        _patiently(lambda: self.store.leases.lose(lease, problem, self.settings.attempts))
        self.queue.put(job.id, job.lane)

    def _problem(self, error: Exception) -> Problem:
        """What a failure is called; where the disk is to blame, the file is not."""
        if not isinstance(error, Problem):
            _log.error("executing a job failed", exc_info=error)
        if self._found_no_room(error):
            return Problem("storage-full", kind="internal")
        return error if isinstance(error, Problem) else Problem("internal-error")

    def _found_no_room(self, error: Exception) -> bool:
        if isinstance(error, Problem):
            return error.code in _FAILED and shutil.disk_usage(self.scratch).free < _NO_ROOM_BYTES
        return isinstance(error, OSError) and error.errno == errno.ENOSPC

    def _diagnose(
        self, lease: Lease, job: Job, scratch: Path, options: Options, watch: Callable[[], None]
    ) -> Diagnosis:
        with ExitStack() as stack:
            try:
                path = stack.enter_context(self.store.blobs.lent(job.sha256, scratch, watch))
            except FileNotFoundError as error:
                raise Problem("stored-file-damaged") from error
            task = Task(
                model=ModelFile(path, job.sha256, job.size_bytes),
                options=options,
                report_id=lease.job_id,
                scratch=scratch,
                progress=_Progress(self.store.leases, lease),
                watch=watch,
            )
            return self.children.diagnose(task)

    def _watch(self, lease: Lease, run_s: float) -> Callable[[], None]:
        """What is called while a child runs: keeps the lease, and notices that the job is no longer ours.

        It counts on the monotonic clock, and outlives a database that is away for less than the lease.
        """
        lease_s = self.settings.lease_s
        checked = renewed = tried = time.monotonic()
        ends = renewed + run_s

        def watch() -> None:
            nonlocal checked, renewed, tried
            now = time.monotonic()
            if self.stopping.is_set():
                raise StoppingError
            if now > ends:
                raise Problem("probe-timeout")
            try:
                if now - renewed > lease_s / RENEWALS and now - tried > _CHECK_S:
                    tried = now
                    self.store.leases.renew(lease, lease_s)
                    checked = renewed = now
                elif now - checked > _CHECK_S:
                    checked = now
                    if not self.store.leases.still_held(lease):
                        raise LeaseLostError
            except DBAPIError as error:
                log_failure("a step of a job failed", error)

        return watch

    def _store(self, lease: Lease, diagnosis: Diagnosis, watch: Callable[[], None]) -> None:
        leases = self.store.leases
        if diagnosis.repaired is None:
            report = with_repaired_link(diagnosis.report, None)
            _patiently(lambda: leases.succeed(lease, report, None))
            return
        link = f"/v1/diagnoses/{lease.job_id}/repaired-model"
        report = with_repaired_link(diagnosis.report, link)
        with self.store.blobs.copied(diagnosis.repaired, limit=self.settings.upload_bytes) as repaired:
            _watched(lambda: self.store.blobs.stage(repaired), watch)
            _patiently(lambda: leases.succeed(lease, report, repaired))


def _watched(step: Callable[[], None], watch: Callable[[], None]) -> None:
    """Do a step that may take long, and keep the lease meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(step)
        while not wait([future], _CHECK_S).done:
            watch()
        future.result()


def _patiently(step: Callable[[], None]) -> None:
    """Do a step that ends a job, waiting for a database or a bucket that is away for a while."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return step()
        except (DBAPIError, BlobsAwayError) as error:
            if time.monotonic() > end:
                raise
            log_failure("a step of a job failed", error)
            time.sleep(_RETRY_S)


class _Progress:
    """Stores what a child says: every stage, and at most five events a second within one."""

    def __init__(self, store: LeaseStore, lease: Lease) -> None:
        self._store = store
        self._lease = lease
        self._stage = ""
        self._stored_at = 0.0
        self._fraction = 0.0

    def __call__(self, message: ProgressMessage) -> None:
        now = time.monotonic()
        if message.stage == self._stage and now - self._stored_at < _EVENT_S:
            return
        if message.stage != self._stage:
            telemetry.note_stage(message.stage)
        self._stage, self._stored_at = message.stage, now
        self._fraction = max(self._fraction, message.fraction)
        event = message.model_dump(exclude={"type"}) | {"fraction": self._fraction}
        try:
            self._store.add_event(self._lease, event)
        except DBAPIError as error:  # what was said is lost, the job is not
            log_failure("a step of a job failed", error)

"""Whole services as a platform runs them: web server, worker, database and broker, in every combination."""

from __future__ import annotations

import itertools
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from app.jobs.lanes import LANES
from app.queue.distributed import broker, queue_of
from app.settings import Settings
from app.store import Store, open_store
from app.store.tables import Job
from tests.app import server as servers
from tests.app.backends import BROKERS, DATABASES, database_url
from tests.app.processes import assert_gone, descendants, kill_all
from tests.app.scripted_zygote import script
from tests.app.server import Server
from tests.faults.gate import Gate, gated
from tests.waiting import PATIENCE_S, until

COMBINATIONS = [(database, "embedded") for database in DATABASES] + [
    (DATABASES[-1], broker) for broker in BROKERS
]
DISTRIBUTED = [pair for pair in COMBINATIONS if pair[1] != "embedded"]
_salts = itertools.count()


@dataclass(frozen=True)
class Programs:
    """What a server and a worker run, as arguments of the interpreter."""

    server: tuple[str, ...]
    worker: tuple[str, ...]


SCRIPTED = Programs(servers.SCRIPTED, ("-m", "tests.app.scripted_worker"))
REAL = Programs(servers.REAL, ("-m", "app.cli", "worker"))


@dataclass
class Worker:
    """A running ``unstuck worker``."""

    process: subprocess.Popen[bytes]
    data: Path

    def has(self, job: Job) -> bool:
        """Whether it runs this job."""
        return job.worker in {path.read_text("utf-8") for path in self.data.glob("worker*.lock")}

    def stop(self) -> None:
        """Stop it in good order."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=PATIENCE_S)

    def kill(self) -> None:
        """End it with all of its processes at once."""
        family = [self.process.pid, *descendants(self.process.pid)]
        kill_all(family)
        assert_gone(family)
        self.process.wait()


@dataclass
class Deployment:
    """A running service.

    Attributes:
        server: its web server.
        settings: what it runs with.
        chosen: those of the settings that are not what they are by themselves.
        programs: what its processes run.
        gates: ways that lead to its database and to its broker, by which it can be cut off; if it was asked for.
        worker: its worker, if it is distributed.
    """

    server: Server
    settings: Settings
    chosen: dict[str, Any]
    programs: Programs
    gates: dict[str, Gate]
    worker: Worker | None = None
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = open_store(self.settings)

    @property
    def distributed(self) -> bool:
        """Whether its worker is one that a broker tells of jobs."""
        return bool(self.settings.broker_url)

    @property
    def log(self) -> Path:
        """What the workers have written."""
        return self.settings.data / "worker.log"

    def send(self, client: httpx2.Client, *, options: dict[str, str] | None = None, **steps: Any) -> str:
        """Send a model that no stored report answers; the address of its diagnosis."""
        content = script(salt=next(_salts), **steps)
        answer = client.post("/v1/diagnoses", files={"file": ("m.h5", content)}, data=options or {})
        assert answer.status_code == 202, answer.text
        return str(answer.headers["location"])

    def job(self, address: str) -> Job:
        return self.store.jobs.get(address.rpartition("/")[2])

    def wait_for(self, address: str, *statuses: str) -> Job:
        """The job once it has one of these states, and if it runs, once its child has spoken."""

        def look() -> Job | None:
            job = self.job(address)
            said = job.status != "running" or job.progress is not None
            return job if said and job.status in statuses else None

        return until(look)

    def let_go(self) -> None:
        """From now on the children no longer hang."""
        for path in self.settings.blob_folder.glob("??/*"):
            os.utime(path, (0, 0))

    def start_server(self, data: Path | None = None) -> Server:
        """A web server on this service's database, broker and files; beside another it needs a folder of its own."""
        chosen = self.chosen | {"blobs": self.settings.blob_folder}
        return servers.start(data or self.settings.data, self.programs.server, ready=False, **chosen)

    def start_worker(self) -> None:
        """Start the worker of a distributed service; an embedded one starts by itself."""
        if self.distributed:
            self.worker = self.run_worker()
        until(lambda: self.server.answers("/readyz"))

    def run_worker(self, data: Path | None = None) -> Worker:
        """A worker; with a folder of its own, as far as files and names go, on another machine."""
        folder = data or self.settings.data
        environment = os.environ | self.settings.environment()
        environment |= {"UNSTUCK_DATA": str(folder), "UNSTUCK_BLOBS": str(self.settings.blob_folder)}
        command = [sys.executable, *self.programs.worker]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=log)
        return Worker(process, folder)

    @contextmanager
    def another_worker(self) -> Iterator[Worker]:
        """A second worker for a ``with`` block, which begins when it is ready."""
        with tempfile.TemporaryDirectory(prefix="unstuck-other-") as folder:
            known = {worker.id for worker in self.store.workers.every()}
            other = self.run_worker(Path(folder))

            def ready() -> bool:
                new = [each for each in self.store.workers.every() if each.id not in known and each.ready]
                return len(new) == len(LANES)

            try:
                until(ready)
                yield other
            finally:
                other.stop()

    def stop_worker(self) -> None:
        """Stop the worker in good order; one beside a web server is started again by that."""
        if self.worker is not None:
            self.worker.stop()

    @property
    def ancestor(self) -> int:
        """The process that has the worker's other processes below it."""
        return self.server.process.pid if self.worker is None else self.worker.process.pid

    def kill_worker(self) -> None:
        """End the worker with all of its processes at once."""
        if self.worker is not None:
            self.worker.kill()
            return
        family = descendants(self.ancestor)
        kill_all(family)
        assert_gone(family)

    def close(self) -> None:
        self.store.database.close()
        self.stop_worker()
        self.server.stop()
        if self.log.exists():
            sys.stderr.write(self.log.read_text("utf-8"))  # which is shown when a test has failed


@contextmanager
def deployed(
    data: Path,
    database: str,
    queue: str,
    *,
    programs: Programs = SCRIPTED,
    through_gates: bool = False,
    **chosen: Any,
) -> Iterator[Deployment]:
    """A service on this database and broker (``embedded``: none), with these settings."""
    with database_url(database) as url, ExitStack() as stack:
        urls = {"database": url, "broker": "" if queue == "embedded" else BROKERS[queue]}
        gates: dict[str, Gate] = {}
        for name, address in urls.items():
            if through_gates and address:
                gates[name], urls[name] = stack.enter_context(gated(address))
        values = {
            "database_url": urls["database"],
            "broker_url": urls["broker"],
            "queue_name": f"test-{secrets.token_hex(4)}",
            **chosen,
        }
        settings = Settings.model_validate({"data": data, **values})
        server = servers.start(data, programs.server, ready=False, **values)
        deployment = Deployment(server, settings, values, programs, gates)
        try:
            deployment.start_worker()
            yield deployment
        finally:
            deployment.close()
            if settings.broker_url:
                forget_queues(settings)


def purge(settings: Settings) -> int:
    """Lose every message that the broker has; how many they were."""
    with broker(settings).connection() as connection:
        return sum(connection.default_channel.queue_purge(queue_of(settings, lane)) for lane in LANES)


def forget_queues(settings: Settings) -> None:
    """Leave nothing in the broker."""
    with broker(settings).connection() as connection:
        for lane in LANES:
            connection.default_channel.queue_delete(queue_of(settings, lane))

"""How long the service takes to run a job again after a fault, with the settings that it has by itself.

``python -m benchmarks.recovery [--services sqlite-embedded ...] [--write] [--resume]``: a real service with real children, on
every database and broker that the tests' environment variables name.  A job that trains is running and two that do
not train are sent when something fails; told is how many seconds pass until a child works at the first again, and
whether every job ended once.  ``--write`` keeps the rows and writes RECOVERY.md from all that
are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from analyzers.options import Options
from app.jobs.states import ENDED
from app.store import tallies
from app.store.jobs import Bounds, Submission
from app.store.tables import Job
from app.worker.diagnosis import PROBE
from benchmarks.load import EXAMPLE
from benchmarks.running import RESULTS, machine
from tests.app.processes import descendants, kill_all, stat
from tests.faults.deployments import COMBINATIONS, REAL, Deployment, Worker, deployed
from tests.waiting import until

ASKED: Final = {"budget_s": "5", "input_range": "standardized"}
"""What keeps a job that trains short."""
STATIC_JOBS: Final = 2
KEPT: Final = RESULTS / "recovery.json"
PAGE: Final = Path(__file__).with_name("RECOVERY.md")
HEADING: Final = """\
# Recovery

`make bench-recovery` wrote this page: a real service with real children and the settings that it has by itself.
A job that trains is at work and two that do not train are sent when something fails.

- *lost*: jobs that did not succeed; *doubled*: jobs that were counted as ended more than once.
- *seconds*: from the fault until a child works at the first job again; where messages were lost, until the first of
  the waiting jobs runs; where workers went on without the web server, until it answers again.
- *load* is the load average of the machine, whose cores other work shared. What is killed is started again at once,
  and what that takes is its start, which is imports of TensorFlow and others and so follows the load. A worker that
  another takes over from is missed for its lease (15 s) and a tick at most, and a lost message is sent again after
  10 s, whatever the load.

"""
COLUMNS: Final = "| service | fault | jobs in flight | lost | doubled | seconds | load |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n"


Workers = Sequence[Worker]
Now = Callable[[], object]
"""What makes something fail, at once."""


def child(deployment: Deployment, _job: Job, _workers: Workers) -> Now:
    """The child alone."""
    return partial(kill_all, [training(deployment.ancestor)])


def supervisor(deployment: Deployment, _job: Job, _workers: Workers) -> Now:
    """The process that looks after the child; its keeper starts it again."""
    zygote = parent(training(deployment.ancestor))
    return partial(kill_all, [parent(zygote)])


def worker(deployment: Deployment, _job: Job, _workers: Workers) -> Now:
    """The worker with all its processes, which is then started again."""

    def now() -> None:
        deployment.kill_worker()
        if deployment.distributed:
            deployment.worker = deployment.run_worker()

    return now


def one_of_two_workers(_deployment: Deployment, job: Job, workers: Workers) -> Now:
    """That of two workers which has the job, with all its processes, for good."""
    return next(each for each in workers if each.has(job)).kill


def server(deployment: Deployment, _job: Job, _workers: Workers) -> Now:
    """The web server, which is then started again."""

    def now() -> None:
        deployment.server.kill()
        deployment.server = deployment.start_server()

    return now


def nothing(_deployment: Deployment, _job: Job, _workers: Workers) -> Now:
    """Nothing but that messages are lost."""
    return lambda: None


@dataclass(frozen=True)
class Fault:
    """What is done to a service.

    Attributes:
        ready: gets it ready, and gives what does it.
        embedded: whether a service on one machine can have it.
        another: whether there is a second worker.
        unannounced: whether the jobs that do not train come to the table without a message.
        spares_workers: whether a worker that a broker tells of jobs goes on.
    """

    ready: Callable[[Deployment, Job, Workers], Now]
    embedded: bool = True
    another: bool = False
    unannounced: bool = False
    spares_workers: bool = False


FAULTS: Final = {
    "kill -9 of the child": Fault(child),
    "kill -9 of the supervisor": Fault(supervisor),
    "kill -9 of the web server": Fault(server, spares_workers=True),
    "kill -9 of the worker's whole tree, started again": Fault(worker),
    "kill -9 of the worker's whole tree, another there": Fault(
        one_of_two_workers, embedded=False, another=True
    ),
    "messages lost": Fault(nothing, embedded=False, unannounced=True),
}


def training(ancestor: int) -> int:
    """The child below a process that trains: a fork of the zygote of the probe."""

    def found() -> int | None:
        probes = [pid for pid in descendants(ancestor) if PROBE in command(pid)]
        return next((pid for pid in probes if PROBE in command(parent(pid))), None)

    return until(found)


def command(pid: int) -> str:
    """The command line of a process; empty when it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def parent(pid: int) -> int:
    """The process that started another."""
    return int(stat(pid)[1])


def measured(deployment: Deployment, fault: Fault) -> str:
    """Do it once; the end of a row of the table."""
    with deployment.server.client() as client, ExitStack() as stack:

        def send(probe: str) -> str:
            answer = client.post(
                "/v1/diagnoses",
                files={"file": (EXAMPLE.name, EXAMPLE.read_bytes())},
                data=ASKED | {"probe": probe},
                headers={"Cache-Control": "no-cache"},
            )
            return str(answer.headers["location"])

        workers = [] if deployment.worker is None else [deployment.worker]
        if fault.another:
            workers.append(stack.enter_context(deployment.another_worker()))
        before = ended(deployment)
        running = send("auto")
        until(lambda: (deployment.job(running).progress or {}).get("stage") == "probing")
        job = deployment.job(running)
        now = fault.ready(deployment, job, workers)
        quick = [slip_in(deployment) if fault.unannounced else send("off") for _ in range(STATIC_JOBS)]
        failed = time.monotonic()
        now()
        if fault.unannounced:
            until(lambda: any(deployment.job(address).status != "queued" for address in quick))
        else:
            if not (fault.spares_workers and deployment.distributed):
                until(lambda: deployment.job(running).lease_token not in (None, job.lease_token))
            heard = last_event(deployment, job.id)
            until(lambda: last_event(deployment, job.id) > heard or deployment.job(running).status in ENDED)
        recovered_s = time.monotonic() - failed
        jobs = [deployment.wait_for(address, "succeeded", "failed") for address in (running, *quick)]
        lost = sum(job.status != "succeeded" for job in jobs)
        doubled = ended(deployment) - before - len(jobs)
        for job in jobs:
            deployment.store.jobs.erase(job.id)
        return f"{len(jobs)} | {lost} | {doubled} | {recovered_s:.1f} | {os.getloadavg()[0]:.0f} |"


def slip_in(deployment: Deployment) -> str:
    """Put a job into the table of which no worker is told; its address."""
    with deployment.store.blobs.incoming() as incoming:
        incoming.write(EXAMPLE.read_bytes())
        submission = Submission(EXAMPLE.name, Options(probe="off"), reuse=False)
        return (
            f"/v1/diagnoses/{deployment.store.jobs.submit(incoming, submission, Bounds(100, 100, None)).id}"
        )


def last_event(deployment: Deployment, job_id: str) -> int:
    """The number of the last event of a job."""
    return deployment.store.jobs.watch({job_id})[job_id].last_event


def ended(deployment: Deployment) -> int:
    """How many jobs have ended, each time counted."""
    return sum(t.count for t in tallies.read(deployment.store.database) if t.name == "jobs_ended")


def rows(database: str, queue: str, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """The rows of one service that are not known yet, each in two parts: what was done, and what came of it."""
    with (
        tempfile.TemporaryDirectory(prefix="unstuck-recovery-") as folder,
        deployed(Path(folder), database, queue, programs=REAL) as deployment,
    ):
        for name, fault in FAULTS.items():
            done = f"| {database}, {queue} | {name} |"
            if done not in known and (deployment.distributed or fault.embedded):
                yield done, measured(deployment, fault)
                if deployment.worker is not None and deployment.worker.process.poll() is not None:
                    deployment.start_worker()
                until(lambda: deployment.server.answers("/readyz"))


def kept_rows() -> dict[str, str]:
    """What was measured before."""
    return json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}


def keep(done: str, outcome: str) -> None:
    """Keep a row."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps(kept_rows() | {done: outcome}), encoding="utf-8")


def write_page() -> None:
    """Write the page from all rows that are kept."""
    lines = "".join(f"{done} {outcome}\n" for done, outcome in kept_rows().items())
    PAGE.write_text(f"{HEADING}Measured on: {machine()}.\n\n{COLUMNS}{lines}", encoding="utf-8")


def main() -> None:
    """Print the table."""
    known = ["-".join(pair) for pair in COMBINATIONS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--services", nargs="+", choices=known, default=known)
    parser.add_argument("--write", action="store_true", help="keep the rows and write benchmarks/RECOVERY.md")
    parser.add_argument("--resume", action="store_true", help="leave out what is kept")
    given = parser.parse_args()
    print(COLUMNS, end="")
    for pair in COMBINATIONS:
        if "-".join(pair) in given.services:
            for done, outcome in rows(*pair, kept_rows() if given.resume else ()):
                print(done, outcome, flush=True)
                if given.write:
                    keep(done, outcome)
    if given.write:
        write_page()


if __name__ == "__main__":
    main()

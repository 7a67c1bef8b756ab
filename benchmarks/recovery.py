"""How long the service takes to run a job again after ``kill -9``, with the settings that it has by itself.

``python -m benchmarks.recovery [--services sqlite-embedded ...]``: a real service with real children, on every database and broker that the
tests' environment variables name.  A job that trains is running and two that do not train are sent when
something is killed; printed is how many seconds pass until a child works at the first again, and whether
every job ended once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.jobs.lanes import LANES
from app.store import tallies
from benchmarks.load import EXAMPLE
from benchmarks.running import machine
from tests.app.processes import kill_all, newest
from tests.faults.deployments import COMBINATIONS, REAL, Deployment, deployed
from tests.waiting import until

BUDGET_S: Final = "60"
"""Of the job that trains: it must still be at work when another worker has started."""
STATIC_JOBS: Final = 2


def kill_child(deployment: Deployment) -> None:
    """The child alone."""
    kill_all([newest(deployment.ancestor)])


def kill_supervisor(deployment: Deployment) -> None:
    """The process that looks after the child; its keeper starts it again."""
    _, _zygote, supervisor, *_ = ancestry(newest(deployment.ancestor))
    kill_all([supervisor])


def kill_worker(deployment: Deployment) -> None:
    """The worker with all its processes, which is then started again."""
    deployment.kill_worker()
    if deployment.distributed:
        deployment.worker = deployment.run_worker()


def lose_machine(deployment: Deployment) -> None:
    """The worker with all its processes, for good."""
    deployment.kill_worker()
    deployment.worker = None


def another_worker(deployment: Deployment, stack: ExitStack) -> None:
    """A worker on another machine, as far as files and names go."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="unstuck-other-"))
    other = deployment.run_worker(UNSTUCK_DATA=folder, UNSTUCK_BLOBS=str(deployment.settings.blob_folder))
    stack.callback(end, other)
    until(lambda: sum(worker.ready for worker in deployment.store.workers.every()) == 2 * len(LANES))


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a worker."""
    process.terminate()
    process.wait()


def ancestry(pid: int) -> list[int]:
    """A process, the zygote that forked it, what started that, and so on."""
    found = [pid]
    while found[-1] > 1:
        fields = Path(f"/proc/{found[-1]}/stat").read_text("utf-8").rpartition(")")[2].split()
        found.append(int(fields[1]))
    return found


@dataclass(frozen=True)
class Fault:
    """What is done to a service.

    Attributes:
        kill: does it.
        two_workers: whether another worker comes first, while the job runs; only a broker allows that.
    """

    kill: Callable[[Deployment], None]
    two_workers: bool = False


FAULTS: Final = {
    "child": Fault(kill_child),
    "supervisor": Fault(kill_supervisor),
    "worker, started again": Fault(kill_worker),
    "worker, another there": Fault(lose_machine, two_workers=True),
}


def measured(deployment: Deployment, fault: Fault) -> str:
    """Do it once; a row of the table."""
    with deployment.server.client() as client, ExitStack() as stack:

        def send(probe: str) -> str:
            answer = client.post(
                "/v1/diagnoses",
                files={"file": (EXAMPLE.name, EXAMPLE.read_bytes())},
                data={"budget_s": BUDGET_S, "probe": probe},
                headers={"Cache-Control": "no-cache"},
            )
            return str(answer.headers["location"])

        before = ended(deployment)
        running = send("auto")
        until(lambda: (deployment.job(running).progress or {}).get("stage") == "probing")
        job = deployment.job(running)
        addresses = [running, *(send("off") for _ in range(STATIC_JOBS))]
        if fault.two_workers:
            another_worker(deployment, stack)
        killed = time.monotonic()
        fault.kill(deployment)
        heard = last_event(deployment, job.id)
        until(lambda: last_event(deployment, job.id) > heard)
        recovered_s = time.monotonic() - killed
        jobs = [deployment.wait_for(address, "succeeded", "failed") for address in addresses]
        lost = sum(job.status != "succeeded" for job in jobs)
        doubled = ended(deployment) - before - len(jobs)
        for address in addresses:
            client.delete(address)
        return f"{len(jobs)} | {lost} | {doubled} | {recovered_s:.1f} |"


def last_event(deployment: Deployment, job_id: str) -> int:
    """The number of the last event of a job."""
    return deployment.store.jobs.watch({job_id})[job_id].last_event


def ended(deployment: Deployment) -> int:
    """How many jobs have ended, each time counted."""
    return sum(t.count for t in tallies.read(deployment.store.database) if t.name == "jobs_ended")


def main() -> None:
    """Print the table."""
    known = ["-".join(pair) for pair in COMBINATIONS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--services", nargs="+", choices=known, default=known)
    chosen = parser.parse_args().services
    print(f"{machine()}; load before {os.getloadavg()[0]:.1f}")
    print("| service | killed | jobs | lost | doubled | seconds until a child works again |")
    print("|---|---|---|---|---|---|")
    for database, queue in COMBINATIONS:
        if f"{database}-{queue}" not in chosen:
            continue
        with (
            tempfile.TemporaryDirectory(prefix="unstuck-recovery-") as folder,
            deployed(Path(folder), database, queue, programs=REAL) as deployment,
        ):
            for name, fault in FAULTS.items():
                if deployment.distributed or not fault.two_workers:
                    print(f"| {database}, {queue} | {name} | {measured(deployment, fault)}", flush=True)
                    if deployment.worker is None:
                        deployment.start_worker()


if __name__ == "__main__":
    main()

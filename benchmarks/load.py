"""Many clients at once against a real service on this machine: what is accepted, what ends, how long it takes.

``python -m benchmarks.load [--runs embedded ...] [--clients 200] [--seconds 300] [--drain 600] [--write]``.  Only
loopback is used.  Half of the runs mix in uploads that ask for a probe; those with Celery have two workers on the
broker and the database that the tests' environment variables name.  The service's own bound on its queue holds: a
client that is told 503 waits as long as ``Retry-After`` says, at most 5 s.  ``--write`` keeps the results and
writes the page LOAD.md from all that are kept.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from app.settings import Settings
from app.web import pages
from benchmarks import footprint, load_page
from benchmarks.running import machine
from tests.app import backends
from tests.app.server import REAL, Server, start

EXAMPLE = Path(pages.__file__).parent / "static" / "examples" / "stuck-cnn.keras"
SAMPLE_S = 5.0
LONGEST_RETRY_S = 5.0
PROBE_BUDGET_S = "5"
WAIT_S = 60
_OF_REQUESTS: Final = "unstuck_http_request"


@dataclass(frozen=True)
class Run:
    """What is loaded, and with what.

    Attributes:
        distributed: by Celery with two workers, or embedded.
        probes: share of the uploads that ask for a probe.
    """

    distributed: bool
    probes: float

    @property
    def service(self) -> str:
        """What the page calls the service."""
        return "Celery, two workers" if self.distributed else "embedded"


RUNS: Final = {
    "embedded": Run(distributed=False, probes=0.0),
    "embedded-mix": Run(distributed=False, probes=0.1),
    "celery": Run(distributed=True, probes=0.0),
    "celery-mix": Run(distributed=True, probes=0.1),
}


@dataclass
class Tally:
    """What was seen.

    Attributes:
        answers: how often each status, or each error of the connection, was the answer to an upload.
        seconds: from the start of an upload to its report, by the kind of job.
        accepted: addresses of the jobs that uploads became.
        memory: seconds since the start, bytes of the web server and of everything.
        highest: most bytes of each kind of process.
    """

    answers: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    accepted: set[str] = field(default_factory=set)
    memory: list[tuple[float, int, int]] = field(default_factory=list)
    highest: dict[str, int] = field(default_factory=dict)


async def client(server: Server, tally: Tally, end: float, probes: float, seeds: Iterator[int]) -> None:
    """Upload and wait for the report, again and again."""
    content = EXAMPLE.read_bytes()
    async with httpx2.AsyncClient(base_url=server.url, timeout=2 * WAIT_S) as http:
        while time.monotonic() < end:
            seed = next(seeds)
            probed = random.Random(seed).random() < probes  # noqa: S311 - a mix, not a secret
            fields = {"seed": str(seed), "probe": "auto" if probed else "off", "budget_s": PROBE_BUDGET_S}
            started = time.monotonic()
            try:
                answer = await http.post(
                    "/v1/diagnoses",
                    params={"wait": WAIT_S},
                    files={"file": (EXAMPLE.name, content)},
                    data=fields,
                )
            except httpx2.TransportError as error:
                tally.answers[type(error).__name__] += 1
                continue
            tally.answers[str(answer.status_code)] += 1
            if answer.status_code in (200, 202):
                tally.accepted.add(answer.headers["location"])
            if answer.status_code == 200:
                kind = "with a probe" if probed else "without a probe"
                tally.seconds[kind].append(time.monotonic() - started)
            await asyncio.sleep(min(float(answer.headers.get("retry-after", 0)), LONGEST_RETRY_S))


async def sample(ancestors: list[int], tally: Tally, end: float) -> None:
    """Note memory now and then."""
    started = time.monotonic()
    while time.monotonic() < end:
        sizes = await asyncio.to_thread(footprint.look, ancestors)
        tally.memory.append((time.monotonic() - started, sizes["web server"], sizes[footprint.TOGETHER]))
        for role, size in sizes.items():
            tally.highest[role] = max(tally.highest.get(role, 0), size)
        await asyncio.sleep(SAMPLE_S)


async def load(server: Server, ancestors: list[int], given: argparse.Namespace, probes: float) -> Tally:
    """Run the clients for a while."""
    tally, seeds = Tally(), itertools.count()
    end = time.monotonic() + given.seconds
    steps = [client(server, tally, end, probes, seeds) for _ in range(given.clients)]
    await asyncio.gather(sample(ancestors, tally, end), *steps)
    return tally


def drained(http: httpx2.Client, accepted: set[str], longest_s: float) -> Counter[str]:
    """How the accepted diagnoses have ended; what still waits after a while is erased."""
    end = time.monotonic() + longest_s
    states: Counter[str] = Counter()
    for address in accepted:
        status = http.get(address).json()["status"]
        while status in ("queued", "running") and time.monotonic() < end:
            time.sleep(0.5)
            status = http.get(address).json()["status"]
        if status in ("queued", "running"):
            http.delete(address)
            status = "left over"
        states[status] += 1
    return states


@contextlib.contextmanager
def service(folder: Path, *, distributed: bool) -> Iterator[tuple[Server, list[int]]]:
    """The service, with its worker beside it or behind a broker; and the processes that started all others."""
    if not distributed:
        server = start(folder, REAL)
        try:
            yield server, [server.process.pid]
        finally:
            server.stop()
        return
    with backends.database_url(backends.DATABASES[-1]) as url:
        chosen: dict[str, Any] = {
            "database_url": url,
            "broker_url": next(iter(backends.BROKERS.values())),
            "queue_name": folder.name,
        }
        server = start(folder, REAL, ready=False, **chosen)
        environment = os.environ | Settings(data=folder, **chosen).environment()
        command = [sys.executable, "-m", "app.cli", "worker"]
        workers = [subprocess.Popen(command, env=environment) for _ in range(2)]  # noqa: S603 - our own command
        try:
            with server.client() as http:
                while http.get("/metrics").text.count("unstuck_worker_ready{") < 4 or not server.answers(
                    "/readyz"
                ):
                    time.sleep(0.2)
            yield server, [server.process.pid, *(worker.pid for worker in workers)]
        finally:
            for worker in workers:
                worker.terminate()
                worker.wait()
            server.stop()


def measured(run: Run, given: argparse.Namespace) -> dict[str, Any]:
    """Load a service; what came of it."""
    result: dict[str, Any] = {"service": run.service, "probes": run.probes, "clients": given.clients}
    result |= {"seconds": given.seconds, "machine": machine(), "load_before": os.getloadavg()[0]}
    with (
        tempfile.TemporaryDirectory(prefix="unstuck-load-") as folder,
        service(Path(folder), distributed=run.distributed) as (server, ancestors),
        server.client() as http,
    ):
        result["rest"] = footprint.look(ancestors)
        tally = asyncio.run(load(server, ancestors, given, run.probes))
        result["readyz"] = json.dumps(http.get("/readyz").json(), indent=2)
        result["states"] = drained(http, tally.accepted, given.drain)
        text = http.get("/metrics").text
    figures = {family.name: family.samples for family in text_string_to_metric_families(text)}
    ours = [line for line in text.splitlines() if line.startswith("unstuck_") and _OF_REQUESTS not in line]
    return result | {
        "answers": tally.answers,
        "accepted": len(tally.accepted),
        "counted": int(
            sum(one.value for one in figures["unstuck_jobs_ended"] if one.name.endswith("_total"))
        ),
        "latency": {kind: cuts(seconds) for kind, seconds in tally.seconds.items()},
        "memory": tally.memory,
        "highest": tally.highest,
        "metrics": "\n".join(ours),
    }


def cuts(seconds: list[float]) -> dict[str, float]:
    """How many there are, and their percentiles."""
    points = statistics.quantiles([*seconds, *seconds], n=100, method="inclusive")
    return {"answered": len(seconds), "p50": points[49], "p95": points[94], "p99": points[98]}


def main() -> None:
    """Load a service and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--drain", type=float, default=600, help="longest time for what waits in the end")
    parser.add_argument("--write", action="store_true", help="keep the results and write benchmarks/LOAD.md")
    given = parser.parse_args()
    if any(RUNS[name].distributed for name in given.runs) and not backends.BROKERS:
        parser.error("the runs with Celery need the variables that .ci/services prints")
    for name in given.runs:
        result = measured(RUNS[name], given)
        print(json.dumps({key: value for key, value in result.items() if key not in ("metrics", "memory")}))
        if given.write:
            load_page.FOLDER.mkdir(parents=True, exist_ok=True)
            load_page.kept(name).write_text(json.dumps(result), encoding="utf-8")
            load_page.write(RUNS)


if __name__ == "__main__":
    main()

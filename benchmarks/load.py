"""Many clients at once against a real service on this machine: what is accepted, what ends, how long it takes.

``python -m benchmarks.load [--clients 200] [--seconds 300] [--probes 0.0] [--distributed]``.  Only loopback
is used.  ``--probes`` is the share of uploads that ask for a probe; ``--distributed`` runs the jobs by
`unstuck worker` over the broker and database that the tests' environment variables name.  The service's
own bound on its queue holds: a client that is told 503 waits as long as ``Retry-After`` says, at most 5 s.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from app.settings import Settings
from app.web import pages
from benchmarks.running import machine
from tests.app import backends
from tests.app.server import REAL, Server, start

EXAMPLE = Path(pages.__file__).parent / "static" / "examples" / "stuck-cnn.keras"
SAMPLE_S = 5.0
LONGEST_RETRY_S = 5.0
PROBE_BUDGET_S = "10"
DRAIN_S = 600.0


@dataclass
class Tally:
    """What was seen."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    memory: list[tuple[float, int, int]] = field(default_factory=list)


async def client(server: Server, tally: Tally, end: float, probes: float, seeds: Iterator[int]) -> None:
    """Upload and wait for the report, again and again."""
    content = EXAMPLE.read_bytes()
    async with httpx2.AsyncClient(base_url=server.url, timeout=120) as http:
        while time.monotonic() < end:
            seed = next(seeds)
            probed = random.Random(seed).random() < probes  # noqa: S311 - a mix, not a secret
            fields = {"seed": str(seed), "probe": "auto" if probed else "off", "budget_s": PROBE_BUDGET_S}
            started = time.monotonic()
            try:
                answer = await http.post(
                    "/v1/diagnoses",
                    params={"wait": 60},
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
                tally.seconds.append(time.monotonic() - started)
            await asyncio.sleep(min(float(answer.headers.get("retry-after", 0)), LONGEST_RETRY_S))


async def sample(server: Server, tally: Tally, end: float) -> None:
    """Note memory now and then."""
    started = time.monotonic()
    async with httpx2.AsyncClient(base_url=server.url, timeout=60) as http:
        while time.monotonic() < end:
            with contextlib.suppress(httpx2.TransportError):
                text = (await http.get("/metrics")).text
                figures = {family.name: family.samples for family in text_string_to_metric_families(text)}
                web = figures["process_resident_memory_bytes"][0].value
                workers = sum(one.value for one in figures["unstuck_worker_memory_bytes"])
                tally.memory.append((time.monotonic() - started, int(web), int(workers)))
            await asyncio.sleep(SAMPLE_S)


async def load(server: Server, clients: int, seconds: float, probes: float) -> Tally:
    """Run the clients for a while."""
    tally, seeds = Tally(), itertools.count()
    end = time.monotonic() + seconds
    steps = [client(server, tally, end, probes, seeds) for _ in range(clients)]
    await asyncio.gather(sample(server, tally, end), *steps)
    return tally


def drained(server: Server, tally: Tally) -> Counter[str]:
    """Where every accepted diagnosis is in the end."""
    end = time.monotonic() + DRAIN_S
    states: Counter[str] = Counter()
    with server.client() as http:
        for address in tally.accepted:
            status = http.get(address).json()["status"]
            while status in ("queued", "running") and time.monotonic() < end:
                time.sleep(0.5)
                status = http.get(address).json()["status"]
            states[status] += 1
    return states


@contextlib.contextmanager
def service(folder: Path, *, distributed: bool) -> Iterator[Server]:
    """The service, with its worker beside it or behind a broker."""
    if not distributed:
        server = start(folder, REAL)
        try:
            yield server
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
                while http.get("/readyz").status_code != 200:
                    time.sleep(0.2)
            yield server
        finally:
            for worker in workers:
                worker.terminate()
                worker.wait()
            server.stop()


def main() -> None:
    """Load a service and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--probes", type=float, default=0.0)
    parser.add_argument("--distributed", action="store_true")
    given = parser.parse_args()
    if given.distributed and not backends.BROKERS:
        parser.error("--distributed needs the variables that .ci/services prints")
    with (
        tempfile.TemporaryDirectory(prefix="unstuck-load-") as folder,
        service(Path(folder), distributed=given.distributed) as server,
    ):
        tally = asyncio.run(load(server, given.clients, given.seconds, given.probes))
        states = drained(server, tally)
    kind = "Celery, two workers" if given.distributed else "embedded"
    print(
        f"{machine()}; {kind}; {given.clients} clients, {given.seconds:.0f} s, {given.probes:.0%} with a probe"
    )
    print("answers: " + ", ".join(f"{code} {count}" for code, count in sorted(tally.answers.items())))
    print(
        f"accepted {len(tally.accepted)}: " + ", ".join(f"{count} {name}" for name, count in states.items())
    )
    if len(tally.seconds) > 1:
        cuts = statistics.quantiles(tally.seconds, n=100, method="inclusive")
        print(f"seconds from upload to report: p50 {cuts[49]:.2f}, p95 {cuts[94]:.2f}, p99 {cuts[98]:.2f}")
    for at, web, workers in tally.memory[:: max(1, len(tally.memory) // 6)]:
        print(f"  after {at:5.0f} s: web {web / 2**20:.0f} MiB, workers {workers / 2**20:.0f} MiB")
    if tally.memory:
        _, web, workers = (max(column) for column in zip(*tally.memory, strict=True))
        print(f"  at most: web {web / 2**20:.0f} MiB, workers {workers / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()

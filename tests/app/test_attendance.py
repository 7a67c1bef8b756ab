"""Which workers are there: the real application in this process, and clocks that are told how late it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from app.jobs.lanes import LANES
from app.main import create_app
from app.settings import Settings
from app.store import Store
from app.store.workers import Gpu
from app.worker.sandbox import Protection
from tests.app.clocks import Clocks

STRONG = Protection(landlock=7, namespaces=True, seccomp=True)


@pytest.fixture
def client(store: Store, settings: Settings) -> TestClient:
    return TestClient(create_app(settings))  # not entered: nobody but the test listens to the workers


def beat(
    store: Store, clocks: Clocks, behind_s: float = 0, worker: str = "w", has: Protection = STRONG
) -> None:
    clocks.wall -= behind_s
    store.workers.beat(worker, lanes=LANES, ready=True, memory_bytes=1, sandbox=has.as_dict())
    clocks.wall += behind_s


def ready(client: TestClient) -> tuple[int, Any]:
    told = client.get("/readyz")
    return told.status_code, told.json()["last_heartbeat_s"]


@pytest.mark.parametrize("behind_s", [-3600.0, 16.0, 3600.0])
def test_a_worker_whose_clock_goes_wrong_is_there_for_as_long_as_it_gives_signs(
    store: Store, client: TestClient, clocks: Clocks, behind_s: float
) -> None:
    beat(store, clocks, behind_s)
    client.get("/readyz")  # which can only believe its clock
    for _ in range(3):
        clocks.go(14.0)
        beat(store, clocks, behind_s)
        assert ready(client) == (200, 0.0)
    clocks.go(15.0)
    assert ready(client) == (200, 15.0)
    assert 'unstuck_worker_heartbeat_age_seconds{worker="w"} 15.0' in client.get("/metrics").text
    clocks.go(1.0)
    assert ready(client) == (503, 16.0)
    clocks.go(60.0)
    assert "heartbeat_age_seconds{" not in client.get("/metrics").text
    assert ready(client) == (503, 76.0)


def test_a_worker_that_was_gone_before_anybody_listened_is_gone(
    store: Store, client: TestClient, clocks: Clocks
) -> None:
    assert ready(client) == (503, None)
    beat(store, clocks, behind_s=600.0)
    assert ready(client) == (503, 600.0)


def test_the_sandbox_told_is_what_every_worker_has(store: Store, client: TestClient, clocks: Clocks) -> None:
    assert client.get("/readyz").json()["sandbox"] is None
    for number, has in enumerate((STRONG, replace(STRONG, landlock=0), replace(STRONG, landlock=3))):
        beat(store, clocks, worker=f"w{number}", has=has)
    told = client.get("/readyz").json()["sandbox"]
    assert told == {"landlock": 0, "namespaces": True, "seccomp": True, "weak": False}
    beat(store, clocks, worker="w9", has=replace(STRONG, landlock=0, namespaces=False))
    assert client.get("/readyz").json()["sandbox"]["weak"] is True


def test_a_gpu_is_told_of_once_whichever_workers_see_it_and_not_where_there_is_none(
    store: Store, client: TestClient
) -> None:
    def tell(worker: str, *gpus: Gpu) -> None:
        store.workers.beat(worker, lanes=LANES, ready=True, memory_bytes=1, sandbox={}, gpus=gpus)

    tell("w0")
    assert "unstuck_gpu_utilization_ratio{" not in client.get("/metrics").text
    first, second = Gpu("GPU-0", "H100", 0.5, 2, 4), Gpu("GPU-1", "H100", None, 1, 4)
    tell("w1", first, second)
    tell("w2", first)
    text = client.get("/metrics").text
    figures = {family.name: family.samples for family in text_string_to_metric_families(text)}

    def told(name: str) -> dict[str, float]:
        return {sample.labels["gpu"]: sample.value for sample in figures[f"unstuck_gpu_{name}"]}

    assert told("utilization_ratio") == {"GPU-0": 0.5}
    assert told("memory_used_bytes") == {"GPU-0": 2, "GPU-1": 1}
    assert told("memory_bytes") == {"GPU-0": 4, "GPU-1": 4}

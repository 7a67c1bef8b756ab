"""What every combination of database and queue promises: one suite, run on each that there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from app.jobs.lanes import LANES
from app.queue import open_queue
from tests.app.processes import kill_all, newest
from tests.faults.deployments import COMBINATIONS, DISTRIBUTED, Deployment, deployed


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def deployment(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Deployment]:
    database, queue = request.param
    with deployed(tmp_path_factory.mktemp("service"), database, queue) as service:
        yield service


@pytest.fixture
def client(deployment: Deployment) -> Iterator[httpx2.Client]:
    with deployment.server.client() as opened:
        yield opened


def ended_once(deployment: Deployment, address: str, attempt: int) -> None:
    """The job has succeeded, in that many attempts, and has its report and its repaired model."""
    job = deployment.wait_for(address, "succeeded", "failed")
    assert (job.status, job.attempt) == ("succeeded", attempt), job.error
    assert job.report is not None
    assert job.repaired_sha256 is None or deployment.store.blobs.intact(job.repaired_sha256)


def test_jobs_of_both_lanes_end_with_their_reports(deployment: Deployment, client: httpx2.Client) -> None:
    addresses = [deployment.send(client, options={"probe": probe}) for probe in ("auto", "off")]
    for address in addresses:
        ended_once(deployment, address, attempt=1)


def test_a_job_that_is_announced_many_times_runs_once(deployment: Deployment, client: httpx2.Client) -> None:
    address = deployment.send(client, probe="hang_while_new")
    job = deployment.wait_for(address, "running")
    queue = open_queue(deployment.settings, deployment.store)
    for lane in LANES * 2:
        queue.put(job.id, lane)
    deployment.let_go()
    kill_all([newest(deployment.ancestor)])  # the hanging child
    ended_once(deployment, address, attempt=2)
    ended_once(deployment, deployment.send(client), attempt=1)


def test_a_running_and_a_waiting_job_are_cancelled(deployment: Deployment, client: httpx2.Client) -> None:
    running, waiting = (deployment.send(client, probe="hang") for _ in range(2))
    deployment.wait_for(running, "running")
    for address in (waiting, running):
        assert client.delete(address).status_code == 204
        assert client.get(address).status_code == 404
    ended_once(deployment, deployment.send(client), attempt=1)


def test_a_worker_that_is_killed_with_all_its_processes_loses_no_job(
    deployment: Deployment, client: httpx2.Client, record_property: Callable[[str, object], None]
) -> None:
    address = deployment.send(client, probe="hang_while_new")
    deployment.wait_for(address, "running")
    deployment.let_go()
    deployment.kill_worker()
    deployment.start_worker()
    back = time.monotonic()
    ended_once(deployment, address, attempt=2)
    assert deployment.store.leases.waiting() == []
    record_property("recovered_s", round(time.monotonic() - back, 1))


@pytest.mark.parametrize("deployment", DISTRIBUTED, ids="-".join, indirect=True)
def test_a_worker_that_is_stopped_hands_its_job_back(deployment: Deployment, client: httpx2.Client) -> None:
    address = deployment.send(client, probe="hang_while_new")
    deployment.wait_for(address, "running")
    deployment.stop_worker()
    assert deployment.job(address).status == "queued"
    deployment.let_go()
    deployment.start_worker()
    ended_once(deployment, address, attempt=1)

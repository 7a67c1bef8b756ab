"""What every combination of database and queue promises: one suite, run on each that there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, get_args

import httpx2
import pytest
from sqlalchemy import text

from analyzers.progress import Stage
from app.jobs.lanes import LANES
from app.queue import open_queue
from tests.app.processes import assert_gone, kill_all, newest
from tests.app.scripted_zygote import release, script
from tests.app.test_logs import events
from tests.faults.deployments import COMBINATIONS, DISTRIBUTED, Deployment, deployed, purge
from tests.waiting import until

LEASE_S = 6.0
"""Short, so that another worker soon takes over; long enough for a busy machine to renew it in time."""
STAGES = get_args(Stage)


def on(combinations: list[tuple[str, str]]) -> pytest.MarkDecorator:
    """Run a test on these combinations alone."""
    return pytest.mark.parametrize("deployment", combinations, ids="-".join, indirect=True)


on_every_broker = on(DISTRIBUTED)
on_postgresql = on([pair for pair in COMBINATIONS if pair == ("postgresql", "embedded")])


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def deployment(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Deployment]:
    database, queue = request.param
    folder = tmp_path_factory.mktemp("service")
    with deployed(folder, database, queue, through_gates=True, lease_s=LEASE_S) as service:
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


def test_a_job_that_kills_its_child_every_time_ends_as_lost(
    deployment: Deployment, client: httpx2.Client
) -> None:
    job = deployment.wait_for(deployment.send(client, probe="kill"), "succeeded", "failed")
    assert job.error is not None
    assert (job.attempt, job.error["code"]) == (2, "worker-lost")


@pytest.mark.parametrize("steps", [{"reading": "hang"}, {"probe": "hang"}], ids=["reading", "probing"])
def test_a_running_and_a_waiting_job_are_cancelled(
    deployment: Deployment, client: httpx2.Client, steps: dict[str, Any]
) -> None:
    running, waiting = (deployment.send(client, **steps) for _ in range(2))
    deployment.wait_for(running, "running")
    for address in (waiting, running):
        assert client.delete(address).status_code == 204
        assert client.get(address).status_code == 404
    ended_once(deployment, deployment.send(client), attempt=1)


def test_a_job_is_cancelled_while_its_answer_is_stored(deployment: Deployment, client: httpx2.Client) -> None:
    """Both wait for the same rows: whoever gets them first, nothing stays behind."""
    kept = set(deployment.store.blobs.older(-3600))
    address = deployment.send(client, probe="held")
    until(lambda: (deployment.job(address).progress or {}).get("stage") == STAGES[-1])
    child = newest(deployment.ancestor)
    with ThreadPoolExecutor(1) as pool:
        with deployment.store.database.write() as session:
            sqlite = session.get_bind().dialect.name == "sqlite"  # whose first statement locks all of it
            session.execute(text("SELECT 1" if sqlite else "LOCK TABLE jobs IN EXCLUSIVE MODE"))
            release(deployment.settings.data)
            assert_gone([child])
            deleted = pool.submit(client.delete, address)
            assert wait([deleted], timeout=0.5).not_done
        assert deleted.result().status_code == 204
    assert client.get(address).status_code == 404
    ended_once(deployment, last := deployment.send(client), attempt=1)  # so the worker is done with the first
    assert client.delete(last).status_code == 204
    assert set(deployment.store.blobs.older(-3600)) == kept


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


@on_every_broker
def test_stopping_a_worker_hands_its_job_back_and_messages_that_are_lost_lose_none(
    deployment: Deployment, client: httpx2.Client
) -> None:
    address = deployment.send(client, probe="hang_while_new")
    deployment.wait_for(address, "running")
    deployment.stop_worker()
    assert deployment.job(address).status == "queued"
    waiting = [deployment.send(client, options={"probe": probe}) for probe in ("auto", "off")]
    assert purge(deployment.settings) >= len(waiting)
    deployment.let_go()
    deployment.start_worker()
    for each in (address, *waiting):
        ended_once(deployment, each, attempt=1)


@on_postgresql
def test_a_database_that_is_away_for_longer_than_a_lease_costs_no_job(
    deployment: Deployment, client: httpx2.Client
) -> None:
    address = deployment.send(client, probe="held")
    deployment.wait_for(address, "running")
    deployment.gates["database"].shut()
    away = time.monotonic()
    refused = client.post("/v1/diagnoses", files={"file": ("m.h5", script())})
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert "retry-after" in refused.headers
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["database"]) == (503, False)
    assert client.get("/healthz").status_code == 200
    time.sleep(max(0.0, away + 1.5 * LEASE_S - time.monotonic()))
    deployment.gates["database"].open()
    release(deployment.settings.data)
    ended_once(deployment, address, attempt=1)


@on_every_broker
def test_a_job_that_is_sent_while_the_broker_is_away_is_announced_later(
    deployment: Deployment, client: httpx2.Client
) -> None:
    deployment.gates["broker"].shut()
    address = deployment.send(client)
    assert client.get("/readyz").json()["queue"] is False
    deployment.gates["broker"].open()
    ended_once(deployment, address, attempt=1)


@on(DISTRIBUTED[:1])
def test_a_web_server_that_is_killed_costs_no_job(deployment: Deployment, client: httpx2.Client) -> None:
    address = deployment.send(client, probe="held")
    deployment.wait_for(address, "running")
    deployment.server.kill()
    release(deployment.settings.data)
    ended_once(deployment, address, attempt=1)
    deployment.server = deployment.start_server()
    with deployment.server.client() as again:
        assert again.get(f"{address}/report").status_code == 200


@on_every_broker
def test_a_worker_writes_json_that_leads_from_the_request_through_to_its_child(
    deployment: Deployment, client: httpx2.Client
) -> None:
    client.headers["X-Request-ID"] = "asked-1"
    address = deployment.send(client, probe="fault")
    job = deployment.wait_for(address, "failed")

    def told() -> dict[str, dict[str, Any]]:
        return {
            event["event"]: event
            for event in events(deployment.log.read_text())
            if event.get("job") == job.id
        }

    until(lambda: "job ended" in told())
    assert told().keys() == {"job started", "fault in a child or zygote", "job ended"}
    assert {(event["request"], event["attempt"]) for event in told().values()} == {("asked-1", 1)}
    assert "a mistake of ours" in told()["fault in a child or zygote"]["trace"]


@on_every_broker
def test_another_worker_takes_over_the_job_of_one_that_is_killed(
    deployment: Deployment, client: httpx2.Client
) -> None:
    assert deployment.worker is not None
    with deployment.another_worker() as other:
        address = deployment.send(client, probe="hang_while_new")
        first = deployment.wait_for(address, "running")
        deployment.let_go()
        holder, survivor = sorted((deployment.worker, other), key=lambda each: not each.has(first))
        holder.kill()
        ended_once(deployment, address, attempt=2)
        assert survivor.has(deployment.job(address))
    # the last test: whichever was killed stays away

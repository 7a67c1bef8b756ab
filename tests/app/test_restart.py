"""What survives a power cut: the whole service is killed in the middle of a job and started again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from app.settings import Settings
from app.store import open_store
from tests.app import server as servers
from tests.app.processes import assert_gone, descendants
from tests.app.scripted_zygote import script
from tests.app.server import Server
from tests.waiting import until


def send(client: httpx2.Client, **steps: str) -> str:
    return str(client.post("/v1/diagnoses", files={"file": ("m.h5", script(**steps))}).headers["location"])


def status(client: httpx2.Client, address: str, *wanted: str) -> str:
    def look() -> str | None:
        document = client.get(address).json()
        said = document["status"] != "running" or document["progress"]
        return str(document["status"]) if said and document["status"] in wanted else None

    return until(look)


def let_go(data: Path) -> None:
    """From now on the children no longer hang."""
    for path in (data / "blobs").rglob("*"):
        os.utime(path, (0, 0))


@dataclass
class House:
    """A folder, and the server that lives in it at the time."""

    data: Path
    server: Server

    def begin_anew(self) -> None:
        self.server = servers.start(self.data)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("house")
    kept = House(data, servers.start(data))
    yield kept
    kept.server.stop()


@pytest.mark.parametrize("end", ["power cut", "killed web process", "stop"])
def test_a_job_survives_the_end_of_the_service_and_ends_once(house: House, end: str) -> None:
    first = house.server
    with first.client() as client:
        address = send(client, probe="hang_while_new", salt=end)
        other = send(client, salt=end)
        status(client, address, "running")
    family = descendants(first.process.pid)
    assert len(family) == 5  # the worker, the zygotes of its lanes, the child
    if end == "power cut":
        os.kill(family[0], signal.SIGKILL)
    getattr(first, "stop" if end == "stop" else "kill")()
    assert_gone(family)
    let_go(house.data)
    house.begin_anew()
    with house.server.client() as client:
        assert status(client, address, "succeeded", "failed") == "succeeded"
        assert status(client, other, "succeeded", "failed") == "succeeded"
    store = open_store(Settings(data=house.data))
    attempts = store.jobs.get(address.rpartition("/")[2]).attempt
    assert attempts == (2 if end == "power cut" else 1)
    store.database.close()


def test_a_worker_that_is_killed_is_started_again_and_its_job_run_again(house: House) -> None:
    with house.server.client() as client:
        address = send(client, probe="hang_while_new")
        status(client, address, "running")
        family = descendants(house.server.process.pid)
        let_go(house.data)
        os.kill(family[0], signal.SIGKILL)
        assert_gone(family)
        assert status(client, address, "succeeded", "failed") == "succeeded"


def test_two_services_do_not_share_a_folder(house: House) -> None:
    with pytest.raises(AssertionError, match="the server ended with 3"):
        servers.start(house.data, servers.REAL, ready=False)

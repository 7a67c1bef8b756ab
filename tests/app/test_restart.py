"""What survives a power cut: the whole service is killed in the middle of a job and started again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx2
import pytest

from app.settings import Settings
from app.store import open_store
from tests.app import server as servers
from tests.app.processes import assert_gone, descendants
from tests.app.scripted_zygote import script
from tests.waiting import until


def send(client: httpx2.Client, content: bytes) -> str:
    return str(client.post("/v1/diagnoses", files={"file": ("m.h5", content)}).headers["location"])


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


@pytest.mark.parametrize("end", ["power cut", "killed web process", "stop"])
def test_a_job_survives_the_end_of_the_service_and_ends_once(tmp_path: Path, end: str) -> None:
    first = servers.start(tmp_path)
    with first.client() as client:
        address = send(client, script(probe="hang_while_new"))
        other = send(client, script())
        status(client, address, "running")
    family = descendants(first.process.pid)
    assert len(family) == 5  # the worker, the zygotes of its lanes, the child
    if end == "power cut":
        os.kill(family[0], signal.SIGKILL)
    getattr(first, "stop" if end == "stop" else "kill")()
    assert_gone(family)
    let_go(tmp_path)
    second = servers.start(tmp_path)
    try:
        with second.client() as client:
            assert status(client, address, "succeeded", "failed") == "succeeded"
            assert status(client, other, "succeeded", "failed") == "succeeded"
        store = open_store(Settings(data=tmp_path))
        attempts = store.jobs.get(address.rpartition("/")[2]).attempt
        assert attempts == (2 if end == "power cut" else 1)
        store.database.close()
    finally:
        second.stop()


def test_a_worker_that_is_killed_is_started_again_and_its_job_run_again(tmp_path: Path) -> None:
    server = servers.start(tmp_path)
    try:
        with server.client() as client:
            address = send(client, script(probe="hang_while_new"))
            status(client, address, "running")
            family = descendants(server.process.pid)
            let_go(tmp_path)
            os.kill(family[0], signal.SIGKILL)
            assert_gone(family)
            assert status(client, address, "succeeded", "failed") == "succeeded"
    finally:
        server.stop()


def test_two_services_do_not_share_a_folder(tmp_path: Path) -> None:
    server = servers.start(tmp_path)
    try:
        with pytest.raises(AssertionError, match="the server ended with 3"):
            servers.start(tmp_path, servers.REAL, ready=False)
    finally:
        server.stop()

"""What happens to a service as a whole: its parts are exchanged, its senders go away, its disk is full."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from app.store import tallies
from tests.app import server as servers
from tests.app.processes import descendants
from tests.app.scripted_zygote import MAGIC, script
from tests.faults.deployments import DISTRIBUTED, Deployment, deployed
from tests.waiting import PATIENCE_S, until

WAITING = 6
"""Jobs that may wait while more are sent: enough for every moment of a restart."""


@pytest.mark.parametrize("combination", DISTRIBUTED[:1], ids="-".join)
def test_a_rolling_restart_under_load_refuses_nobody_and_loses_no_job(
    tmp_path: Path, combination: tuple[str, str]
) -> None:
    """The new web server beside the old, then the old one away, then the worker."""
    addresses: list[str] = []
    enough = threading.Event()

    def send_on(deployment: Deployment) -> None:
        while not enough.is_set():
            with deployment.server.client() as client:
                addresses.append(
                    deployment.send(client, options={"probe": ("auto", "off")[len(addresses) % 2]})
                )
            while len(deployment.store.leases.waiting()) > WAITING and not enough.is_set():
                time.sleep(0.05)

    def go_on() -> None:
        """Wait until a whole request has been answered from now on."""
        sent = len(addresses)
        until(lambda: len(addresses) > sent + 1 or sending.done())

    with deployed(tmp_path / "old", *combination) as deployment, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send_on, deployment)
        try:
            go_on()
            old, deployment.server = deployment.server, deployment.start_server(tmp_path / "new")
            go_on()
            old.stop()
            deployment.stop_worker()
            deployment.start_worker()
            go_on()
        finally:
            enough.set()
        sending.result()
        for address in addresses:
            job = deployment.wait_for(address, "succeeded", "failed")
            assert (job.status, job.attempt) == ("succeeded", 1), job.error
        counted = {tally.name: tally.count for tally in tallies.read(deployment.store.database)}
        assert counted["jobs_ended"] == len(addresses)


PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="m"\r\n\r\n' + MAGIC


def incoming(data: Path) -> list[Path]:
    return list((data / "blobs" / "incoming").iterdir())


@contextmanager
def half_sent(server: servers.Server) -> Iterator[socket.socket]:
    """A connection on which half an upload has been sent."""
    port = httpx2.URL(server.url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = "POST /v1/diagnoses HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
        connection.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode())
        connection.sendall(PART + bytes(3_000_000))
        until(lambda: incoming(server.data))
        yield connection


def test_uploads_that_break_off_or_pause_leave_nothing_and_their_room_is_theirs_until_then(
    tmp_path: Path,
) -> None:
    server = servers.start(tmp_path, ready=False, upload_pause_s=3, disk_bytes=10_000_000)
    other = {"file": ("m.h5", script() + bytes(2_000_000))}
    try:
        with server.client() as client:
            with half_sent(server):
                refused = client.post("/v1/diagnoses", files=other)
                assert (refused.status_code, refused.json()["code"]) == (507, "storage-full")
            until(lambda: not incoming(tmp_path))
            with half_sent(server) as connection:
                answer = b"".join(iter(lambda: connection.recv(2**16), b"")).decode()
                assert answer.startswith("HTTP/1.1 408")
                assert "upload-timeout" in answer
            until(lambda: not incoming(tmp_path))
            assert client.post("/v1/diagnoses", files=other).status_code == 202
    finally:
        server.stop()


INSIDE = """
set -e
mount -t tmpfs -o size=24m tmpfs "$UNSTUCK_DATA"
exec "$0" -m tests.app.scripted_server
"""


def test_a_full_disk_refuses_uploads_and_fails_jobs_without_losing_any(tmp_path: Path) -> None:
    """On a real file system of 24 MB, in a mount namespace of the service's own."""
    command = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", INSIDE, sys.executable)
    server = servers.start(tmp_path, command, program="")
    try:
        with server.client() as client:
            large = {"file": ("m.h5", script() + bytes(40_000_000))}
            refused = client.post("/v1/diagnoses", files=large)
            assert (refused.status_code, refused.json()["code"]) == (507, "storage-full")
            small = {"file": ("m.h5", script(salt="small"))}
            ended = client.post(f"/v1/diagnoses?wait={PATIENCE_S}", files=small)
            assert ended.status_code == 200, ended.text
            filled = {"file": ("m.h5", script(probe="fill"))}
            failed = client.post(f"/v1/diagnoses?wait={PATIENCE_S}", files=filled)
            assert (failed.status_code, failed.json()["code"]) == (507, "storage-full")
            again = {"file": ("m.h5", script(salt="again"))}
            assert client.post(f"/v1/diagnoses?wait={PATIENCE_S}", files=again).status_code == 200
        until(lambda: len(descendants(server.process.pid)) >= 4)
    finally:
        server.stop()

"""Starts servers as processes of their own, on a port and a folder of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx2

from tests.waiting import PATIENCE_S

SCRIPTED = ("-m", "tests.app.scripted_server")
START_S = 240
"""Seconds for a start on a busy machine: TensorFlow alone takes 5 on an idle one."""
REAL = ("-m", "app.cli", "serve")
_LISTEN = "0A"
"""A listening socket in /proc/net/tcp."""


@dataclass
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]
    data: Path

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=PATIENCE_S + 30)

    def answers(self, address: str) -> bool:
        """Whether it answers there, and that all is well."""
        try:
            return httpx2.get(self.url + address, timeout=PATIENCE_S).status_code == 200
        except httpx2.TransportError:
            return False

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it in good order."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=PATIENCE_S)

    def resident_bytes(self) -> int:
        """Resident memory of the web process at its highest."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")


@contextmanager
def closed_port() -> Iterator[int]:
    """A port at which nobody listens, and nobody can start to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def _listening(pid: int) -> int | None:
    """The port at which a process listens; None before it does."""
    with suppress(OSError):
        sockets = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == _LISTEN and f"socket:[{inode}]" in sockets:
                return int(local.partition(":")[2], 16)
    return None


def start(
    data: Path,
    command: tuple[str, ...] = SCRIPTED,
    *,
    ready: bool = True,
    program: str = sys.executable,
    log: IO[bytes] | None = None,
    **settings: object,
) -> Server:
    """Start a server and wait until it answers, and until it is ready for jobs; ``log`` takes what it writes."""
    environment = {
        **os.environ,
        "UNSTUCK_DATA": str(data),
        "UNSTUCK_PORT": "0",
        **{f"UNSTUCK_{name.upper()}": str(value) for name, value in settings.items()},
    }
    process = subprocess.Popen(
        [program, *command] if program else command, env=environment, stdout=log, stderr=log
    )
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(f"the server ended with {process.returncode}")
        if (port := _listening(process.pid)) is not None:
            server = Server(f"http://127.0.0.1:{port}", process, data)
            if server.answers("/readyz" if ready else "/healthz"):
                return server
        time.sleep(0.1)
    process.kill()
    process.wait()
    raise AssertionError("the server did not start")

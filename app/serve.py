"""The web server in this process, and beside it the worker, unless workers are reached through a broker."""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import os
from typing import Final

import uvicorn

from app import telemetry
from app.logs import configure
from app.main import create_app
from app.secret import SECRET_CHARACTERS
from app.settings import Settings
from app.store import open_store
from app.store.folder import FolderInUseError, lock
from app.worker.keeping import KeptProcess
from app.worker.sandbox import require

WORKER: Final = "app.worker.supervisor"

_ALLOCATOR: Final = {"M_ARENA_MAX": (-8, 2), "M_MMAP_THRESHOLD": (-3, 2**16), "M_TRIM_THRESHOLD": (-1, 2**16)}
"""What mallopt(3) of glibc is told, number and value: two heaps for all threads instead of one each, and
large blocks (uploads, reports) given back at once.  With 200 clients it leaves the server with 170 MiB in place
of 250 (``make bench-load``)."""


class RefusedError(Exception):
    """The service must not be started like this; the message says why and what to do."""


def check(settings: Settings, *, keys: bool) -> None:
    """Refuse a start that would put the machine at risk.

    Args:
        settings: the service's.
        keys: whether callers need an API key.

    Raises:
        RefusedError: open to the network without authentication, or with a secret that can be guessed.
        app.worker.sandbox.WeakSandboxError: the kernel offers too little of a sandbox, or the data lie where every
            child may read.
    """
    if not (keys or _loopback(settings.host) or settings.allow_unauthenticated):
        raise RefusedError(
            f"Listening on {settings.host} would let everybody on the network use this service. Make an API "
            "key first (unstuck keys create NAME), listen on 127.0.0.1, or set "
            "UNSTUCK_ALLOW_UNAUTHENTICATED=1 where something in front of it authenticates its callers."
        )
    if settings.secret and len(settings.secret) < SECRET_CHARACTERS:
        raise RefusedError(f"UNSTUCK_SECRET needs {SECRET_CHARACTERS} characters or more.")
    require(allow_weak=settings.allow_weak_sandbox, whole=settings.require_sandbox, data=settings.data)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _thrifty() -> None:
    """Have the allocator give memory back; libraries other than glibc have nothing to set."""
    with contextlib.suppress(AttributeError):
        for option, value in _ALLOCATOR.values():
            ctypes.CDLL(None).mallopt(option, value)


def serve(settings: Settings, *, worker: str = WORKER) -> None:
    """Serve until the process is told to stop.

    Args:
        settings: the service's.
        worker: the module that the worker process runs.

    Raises:
        RefusedError: open to the network without authentication, or the folder is in use.
        app.worker.sandbox.WeakSandboxError: the kernel offers no sandbox.
    """
    configure()
    _thrifty()
    telemetry.configure("unstuck-web")
    store = open_store(settings)
    try:
        locked = lock(settings.data / "service.lock")
    except FolderInUseError as error:
        raise RefusedError(
            f"Another service uses the folder {settings.data}. Name another with --data."
        ) from error
    store.database.migrate()
    keys = store.keys.exist()
    store.database.close()
    check(settings, keys=keys)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, locked)
        if not settings.broker_url:
            stack.callback(KeptProcess(settings, [worker]).stop)
        uvicorn.run(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=settings.shutdown_s,
            server_header=False,
        )

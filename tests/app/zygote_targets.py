"""A zygote whose children behave in every way that a child of the product may."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analyzers.errors import InputError
from app.worker.messages import ProgressMessage, ReadMessage, Sender
from app.worker.zygote import serve


def echo(arguments: Mapping[str, Any], sender: Sender) -> None:
    for number in range(arguments["events"]):
        sender.send(ProgressMessage(stage="probing", fraction=number / 10, message="step", step=number))
    sender.send(ReadMessage())


def hang(_arguments: Mapping[str, Any], _sender: Sender) -> None:
    time.sleep(600)


def hang_in_threads(arguments: Mapping[str, Any], _sender: Sender) -> None:
    """Hang in two threads, one of them deaf to everything; the child's id is written first."""
    Path(arguments["directory"], "pid").write_text(str(os.getpid()))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=time.sleep, args=(600,)).start()
    time.sleep(600)


def burn(_arguments: Mapping[str, Any], _sender: Sender) -> None:
    while True:
        pass


def crash(arguments: Mapping[str, Any], _sender: Sender) -> None:
    os.kill(os.getpid(), signal.Signals[arguments["signal"]])
    time.sleep(600)


def silent_success(_arguments: Mapping[str, Any], _sender: Sender) -> None:
    return


def raw(arguments: Mapping[str, Any], _sender: Sender) -> None:
    os.write(3, arguments["text"].encode())


def flood(_arguments: Mapping[str, Any], _sender: Sender) -> None:
    while True:
        os.write(3, b"x" * 65536)


def unusable(_arguments: Mapping[str, Any], _sender: Sender) -> None:
    raise InputError("corrupt-file", "byte 7")


def fault(_arguments: Mapping[str, Any], _sender: Sender) -> None:
    raise RuntimeError("a mistake of ours")


def greedy(_arguments: Mapping[str, Any], _sender: Sender) -> None:
    bytearray(2**31)


def greedy_beyond_the_kernels_count(_arguments: Mapping[str, Any], _sender: Sender) -> None:
    """Shared memory is not counted by RLIMIT_DATA."""
    shared = mmap.mmap(-1, 2**30)
    for start in range(0, len(shared), 2**20):
        shared[start : start + 2**20] = b"x" * 2**20
    time.sleep(600)


def writes_many_files(arguments: Mapping[str, Any], _sender: Sender) -> None:
    """Each file is within the limit of one, all together are not."""
    for number in range(40):
        Path(arguments["directory"], str(number)).write_bytes(b"x" * 2**19)
    time.sleep(600)


def writes_a_long_file(arguments: Mapping[str, Any], _sender: Sender) -> None:
    Path(arguments["directory"], "long").write_bytes(b"x" * 2**21)


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _libc_call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


def surroundings(arguments: Mapping[str, Any], _sender: Sender) -> None:
    """Try what the sandbox forbids; what worked is written to the output folder."""
    worked = []
    parent = os.getppid()
    attempts: dict[str, Callable[[], object]] = {
        "write outside": lambda: Path(arguments["outside"]).write_text("x"),
        "read outside": lambda: Path(arguments["secret"]).read_text(),
        "read passwords": lambda: Path("/etc/shadow").read_text(),
        "read what belongs to the project but is no code": lambda: Path(__file__).read_text(),
        "list processes": lambda: next(Path("/proc").iterdir()),
        "link outside": lambda: os.link(arguments["secret"], Path(arguments["directory"], "link")),
        "make a socket": lambda: socket.socket().close(),
        "make a datagram socket": lambda: socket.socket(type=socket.SOCK_DGRAM).close(),
        "make a local socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "make a socket pair": socket.socketpair,
        "fork": _fork,
        "run a program": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606 - it must fail
        "signal the parent": lambda: os.kill(parent, 0),
        "see the parent": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)),
        "look at the parent's limits": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
        "make a device": lambda: os.mknod(Path(arguments["directory"], "device"), 0o600 | 0o020000, 0x103),
        "make a pipe with a name": lambda: os.mkfifo(Path(arguments["directory"], "fifo")),
        "change root": lambda: os.chroot("/"),
        "take a user's powers": lambda: (
            os.setuid(0) if os.getuid() else os.chown(arguments["directory"], 1, 1)
        ),
        "make nameless memory": lambda: os.memfd_create("x"),
        "make a namespace": lambda: _libc_call("unshare", 0x10000000),
        "be traced": lambda: _libc_call("ptrace", 0, 0, 0, 0),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
            worked.append(name)
        except (OSError, ValueError):
            continue
    Path(arguments["directory"], "worked").write_text("\n".join(worked))
    Path(arguments["directory"], "status").write_text(Path("/proc/self/status").read_text())
    Path(arguments["directory"], "environment").write_text(" ".join(sorted(os.environ)))
    Path(arguments["directory"], "descriptors").write_text(
        " ".join(path.name for path in Path("/proc/self/fd").iterdir())
    )
    with TemporaryDirectory() as temporary:  # must lie in the output folder, and files move out of it
        Path(temporary, "moved").write_text("x")
        Path(temporary, "moved").replace(Path(arguments["directory"], "moved"))
    _sender.send(ReadMessage())


TARGETS = {
    function.__name__: function
    for function in (
        echo, hang, hang_in_threads, burn, crash, silent_success, raw, flood, unusable, fault, greedy,
        greedy_beyond_the_kernels_count, writes_many_files, writes_a_long_file, surroundings,
    )
}  # fmt: skip

if __name__ == "__main__":
    serve(TARGETS)
    sys.exit(0)

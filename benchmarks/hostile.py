"""The corpus of hostile and broken files, each read as a reading child does: how it ends, how long, how much memory.

``python -m benchmarks.hostile [--write]`` reads and judges every file of `tests.hostile` in a process of its own,
in the sandbox and under the limits of production, and looks at whether anything was touched that must not be:
the marker, the secret's port.  ``--write`` writes the table to HOSTILE.md.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from analyzers import engine
from analyzers.errors import InputError
from analyzers.options import Options
from app.settings import Settings
from app.worker import sandbox
from benchmarks.running import machine
from tests.hostile.case import Trap
from tests.hostile.cases import CASES
from tests.hostile.files import archive

TABLE: Final = Path(__file__).with_name("HOSTILE.md")
GIB: Final = 2**30
MIB: Final = 2**20
WORST: Final = 5
"""Files that are listed by time and by memory."""


@dataclass(frozen=True)
class Ended:
    """How the reading of one file ended.

    Attributes:
        name: of the case.
        how: ``judged``, a code of `analyzers.errors`, or what the system did to the process.
        seconds: on the wall.
        bytes: peak resident memory of the process.
    """

    name: str
    how: str
    seconds: float
    bytes: int


def read(name: str, content: bytes, settings: Settings) -> Ended:
    """Read and judge one file in a child, sandboxed as in production."""
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        path, output = Path(folder, "model"), Path(folder, "output")
        path.write_bytes(content)
        output.mkdir()
        limits = sandbox.Limits(
            cpu_s=settings.reading_cpu_s, data_bytes=GIB + 2 * len(content), file_bytes=GIB,
            readable=(str(path),), writable=str(output),
        )  # fmt: skip
        reading, writing = os.pipe()
        started, parent = time.monotonic(), os.getpid()
        pid = os.fork()
        if pid == 0:
            with contextlib.redirect_stderr(None):
                os.write(writing, _outcome(path, limits, parent).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read().decode()
        _, status, usage = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    how = said or (f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}")
    return Ended(name, how, time.monotonic() - started, usage.ru_maxrss * 1024)


def _outcome(path: Path, limits: sandbox.Limits, parent: int) -> str:
    try:
        sandbox.enter(limits, parent)
        engine.read_and_judge(path, Options(probe="off"), report_id="benchmark")
    except InputError as error:
        return error.code
    except MemoryError:
        return "out of memory"
    except Exception as error:  # a fault of ours, which the table shows
        return f"undeclared {type(error).__name__}"
    return "judged"


def table(ended: Sequence[Ended], honest: Ended, breaches: int) -> str:
    """Counts by ending, and the worst by time and by memory."""
    counts = Counter(one.how for one in ended)
    lines = [
        f"Measured on: {machine()}.",
        "",
        f"{len(ended)} files, {breaches} breaches. An honest file of a few kilobytes takes "
        f"{honest.bytes / MIB:.0f} MiB and {honest.seconds:.2f} s.",
        "",
        "| ended as | files |",
        "| --- | --- |",
        *(f"| {how} | {count} |" for how, count in counts.most_common()),
        "",
        "| slowest | ended as | seconds | MiB |",
        "| --- | --- | --- | --- |",
        *(_row(one) for one in sorted(ended, key=lambda one: -one.seconds)[:WORST]),
        "",
        "| largest | ended as | seconds | MiB |",
        "| --- | --- | --- | --- |",
        *(_row(one) for one in sorted(ended, key=lambda one: -one.bytes)[:WORST]),
    ]
    return "\n".join(lines) + "\n"


def _row(one: Ended) -> str:
    return f"| {one.name} | {one.how} | {one.seconds:.2f} | {one.bytes / MIB:.0f} |"


def main() -> None:
    """Read every file and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the table to benchmarks/HOSTILE.md")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    settings, breaches = Settings(), 0
    honest, ended = read("an honest file", archive(), settings), []
    with (
        tempfile.TemporaryDirectory(prefix="unstuck-trap-") as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        listener.settimeout(0)
        trap = Trap(
            Path(folder, "marker"), Path(folder, "secret"), Path(folder, "fifo"), listener.getsockname()[1]
        )
        trap.secret.write_text("secret", "utf-8")
        os.mkfifo(trap.fifo)
        for name, case in CASES.items():
            ended.append(read(name, case.make(trap), settings))
            breaches += _touched(trap, listener)
            print(_row(ended[-1]), flush=True)
    print("\n" + table(ended, honest, breaches))
    if given.write:
        heading = "# Hostile and broken files\n\n`make bench-hostile` wrote this page: every file of `tests/hostile`, read and judged in the sandbox.\n\n"
        TABLE.write_text(heading + table(ended, honest, breaches), encoding="utf-8")


def _touched(trap: Trap, listener: socket.socket) -> bool:
    """Whether a payload did what it was made for."""
    if trap.marker.exists():
        trap.marker.unlink()
        return True
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    main()

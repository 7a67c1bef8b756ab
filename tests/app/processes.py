"""Families of processes, as /proc has them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.waiting import until


def stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on: ``man 5 proc_pid_stat``, fields 3 and following."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return stat(pid)[0] == "Z"
    except OSError:
        return True


def descendants(ancestor: int) -> list[int]:
    """The children of a process, theirs, and so on; parents before their children."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents.setdefault(int(stat(int(entry.name))[1]), []).append(int(entry.name))
    found, queue = [], [ancestor]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def newest(ancestor: int) -> int:
    """That descendant of a process which was started last."""
    return max(descendants(ancestor), key=lambda pid: int(stat(pid)[19]))


def kill_all(pids: list[int]) -> None:
    """End processes as a power cut would, all at once."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def assert_gone(pids: list[int]) -> None:
    """Wait until all have ended."""
    until(lambda: all(gone(pid) for pid in pids))

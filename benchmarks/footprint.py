"""Memory of a service's processes, by what they do, as /proc has it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.worker.diagnosis import PROBE, READING
from tests.app.processes import descendants, stat

ROLES: Final = {
    "app.cli serve": "web server",
    "app.cli worker": "keeper of a worker's lanes",
    "app.worker.supervisor": "supervisor",
    "app.worker.distributed": "supervisor of a lane",
    READING: "zygote that reads",
    PROBE: "zygote that probes",
}
"""Part of a command line -> what the process does."""
TOGETHER: Final = "all together, shared pages once"


def look(ancestors: Iterable[int]) -> dict[str, int]:
    """The memory of these processes and of all below them, in bytes.

    Returns:
        For each role the resident memory of its largest process; under `TOGETHER` the sum of all, in which pages
        that several share count once.
    """
    found = {TOGETHER: 0}
    for ancestor in ancestors:
        for pid in (ancestor, *descendants(ancestor)):
            with suppress(OSError, ValueError, KeyError):  # it has just ended
                sizes = _sizes(pid)
                found[TOGETHER] += sizes["Pss"]
                role = _role(pid)
                found[role] = max(found.get(role, 0), sizes["Rss"])
    return found


def _sizes(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}


def _role(pid: int) -> str:
    """What a process does; a fork of a zygote, which has its command line, is its child."""
    line = _command(pid)
    role = next((name for part, name in ROLES.items() if part in line), "other")
    forked = role.startswith("zygote") and _command(int(stat(pid)[1])) == line
    return role.replace("zygote", "child") if forked else role


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()

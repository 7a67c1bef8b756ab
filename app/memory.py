"""How much memory there is for this process: the machine's, or what its control groups leave it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_GROUPS: Final = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}
"""Controller in /proc/self/cgroup -> folder below /sys/fs/cgroup, file of the limit; "" is version 2."""


def memory_bytes(root: Path = Path("/")) -> int:
    """The machine's memory, or the lowest limit of this process's control groups and of their parents.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([total, *_limits(root)])


def _limits(root: Path) -> Iterator[int]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # a kernel without control groups
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            if controller in _GROUPS:
                folder, name = _GROUPS[controller]
                yield from _limits_of(root / "sys/fs/cgroup" / folder, PurePosixPath(path), name)


def _limits_of(mounted: Path, group: PurePosixPath, name: str) -> Iterator[int]:
    """The limits of a group and its parents; a container sees its own as the topmost, whatever its path says."""
    for folder in (group, *group.parents):
        try:
            text = (mounted / folder.relative_to("/") / name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():  # else "max"
            yield int(text)

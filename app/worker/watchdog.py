"""What a child uses beyond what the kernel's own limits count, looked at from outside while it runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from app.worker.sandbox import Limits

_FOLDER_S: Final = 1.0
"""Seconds between two looks at the output folder."""
_COUNTED: Final = ("RssAnon:", "RssShmem:")
"""Lines of /proc/PID/status: resident memory that is no file's."""


class MemoryExceededError(Exception):
    """The child has more memory than its limit."""


class OutputExceededError(Exception):
    """The child wrote more than its limit."""


class Watchdog:
    """Looks after one child.

    Args:
        pid: the child.
        limits: what it may use.
    """

    def __init__(self, pid: int, limits: Limits) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._limits = limits
        self._looked_s = time.monotonic()

    def check(self) -> None:
        """Look once.

        Raises:
            MemoryExceededError: ``data_bytes`` is passed, shared memory included.
            OutputExceededError: ``file_bytes`` is passed by the output folder as a whole.
        """
        if self._resident_bytes() > self._limits.data_bytes:
            raise MemoryExceededError
        now = time.monotonic()
        if self._limits.writable is not None and now - self._looked_s > _FOLDER_S:
            self._looked_s = now
            if _folder_bytes(self._limits.writable) > self._limits.file_bytes:
                raise OutputExceededError

    def _resident_bytes(self) -> int:
        try:
            lines = self._status.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            return 0  # it has ended
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_COUNTED))


def _folder_bytes(folder: str) -> int:
    """Bytes on the disk of everything below a folder."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_blocks * 512  # noqa: PTH118 - quick
            except FileNotFoundError:
                continue
    return total

"""A folder that one process keeps for itself."""

from __future__ import annotations

import fcntl
import itertools
import os
import secrets
from contextlib import suppress
from pathlib import Path


class FolderInUseError(Exception):
    """Another process keeps this folder."""


def lock(path: Path) -> int:
    """Take the lock file ``path``, made if it is missing, until its descriptor is closed or this process ends.

    Raises:
        FolderInUseError: another process has it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise FolderInUseError(str(path)) from error
    return descriptor


def own_name(path: Path) -> str:
    """Take the lock file ``path`` as `lock` does; the name that is kept in it, made when it is new.

    Raises:
        FolderInUseError: another process has it.
    """
    descriptor = lock(path)
    name = os.read(descriptor, 64).decode()
    if not name:
        name = secrets.token_hex(8)
        os.write(descriptor, name.encode())
    return name


def any_name(folder: Path, prefix: str) -> str:
    """The name in the first lock file ``PREFIX-NUMBER.lock`` of a folder that no process has.

    A process that is started again after its end therefore gets its name back.
    """
    for number in itertools.count():
        with suppress(FolderInUseError):
            return own_name(folder / f"{prefix}-{number}.lock")
    raise AssertionError("numbers do not end")

"""Files by Landlock: a process keeps the rights that are granted here, path by path, and no others.

Without privileges, since Linux 5.13; later ABIs also take away TCP, and signals and sockets of others.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446

# include/uapi/linux/landlock.h
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_CHANGE_DIR: Final = 0x7FF << 4  # remove and make entries of every kind
_MAKE_PLAIN: Final = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8  # remove folder, file; make folder, plain file
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FILE_RIGHTS: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

READ: Final = _READ_FILE | _READ_DIR
DEVICE: Final = READ | _WRITE_FILE | _IOCTL_DEV
OUTPUT: Final = READ | _WRITE_FILE | _TRUNCATE | _MAKE_PLAIN | _REFER


class _RulesetAttribute(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathAttribute(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def abi() -> int:
    """The kernel's Landlock ABI; 0 where there is none."""
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def restrict(grants: Mapping[int, Iterable[str]], version: int) -> None:
    """Give up every right to files, and to TCP, but those granted.

    The process must have set ``no_new_privs``.

    Args:
        grants: rights -> files and folders, with all below them; those that do not exist are left out.
        version: from :func:`abi`, 1 or more.

    Raises:
        OSError: the kernel refused.
    """
    handled = _EXECUTE | _WRITE_FILE | _READ_FILE | _READ_DIR | _CHANGE_DIR & ~(_REFER | _TRUNCATE)
    handled |= _REFER if version >= 2 else 0
    handled |= _TRUNCATE if version >= 3 else 0
    handled |= _IOCTL_DEV if version >= 5 else 0
    attribute = _RulesetAttribute(handled, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _call(_LIBC.syscall(_CREATE_RULESET, ctypes.byref(attribute), ctypes.c_size_t(size), 0))
    for rights, paths in grants.items():
        for path in paths:
            _grant(ruleset, path, rights & handled)
    _call(_LIBC.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _grant(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not Path(path).is_dir():
        rights &= _FILE_RIGHTS
    attribute = _PathAttribute(rights, descriptor)
    _call(_LIBC.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(attribute), 0))
    os.close(descriptor)


def _call(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


__all__: Sequence[str] = ("DEVICE", "OUTPUT", "READ", "abi", "restrict")

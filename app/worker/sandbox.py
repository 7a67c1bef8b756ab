"""What a child gives up before it looks at a stranger's bytes.  Linux only, unprivileged, a few milliseconds.

In this order: its own session (one kill reaches all of it), the network and the powers of its user
(namespaces), death with its parent, resource limits, files (Landlock: reading only what Python needs and
what the job names, writing only its output folder), capabilities, being looked into, system calls
(seccomp: no socket, no program, no process).  Namespaces are missing in a default container, Landlock
before Linux 5.13: what could be had is told by `Protection`.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.worker import landlock, seccomp

_LIBC: Final = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = (
    1,
    4,
    24,
    38,
    47,
)
_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION: Final = 0x20080522
_CLONE_NEWUTS, _CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x04000000, 0x08000000, 0x10000000, 0x40000000

_OPEN_FILES: Final = 256
_THREADS: Final = 512
"""Counted within the child's own user namespace, so that nobody else's processes count."""
_CPU_GRACE_S: Final = 5
"""Seconds between the signal that ends a child for its CPU time and the one that it cannot ignore."""

_PACKAGES: Final = Path(__file__).parents[2]
_LIBRARIES: Final = (
    "/usr",
    "/lib",
    "/lib64",
    sys.prefix,
    sys.base_prefix,
    str(_PACKAGES / "app"),
    str(_PACKAGES / "analyzers"),
)
"""Where Python's own files and ours lie; nothing that is secret may (`exposed`)."""

_FACTS: Final = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/self",
    "/proc/stat",
    "/sys/devices/system",
    "/dev/random",
    "/dev/urandom",
)
_ACCELERATOR_FACTS: Final = ("/proc/devices", "/proc/driver/nvidia", "/sys/bus/pci", "/sys/devices")
_DEVICES: Final = ("/dev/null", "/dev/zero")
_ACCELERATORS: Final = "nvidia*"


@dataclass(frozen=True)
class Limits:
    """What a child may use.

    Attributes:
        cpu_s: CPU seconds over all its threads.
        data_bytes: private writable memory.
        file_bytes: the largest file it may write, and all files of its output folder together.
        readable: files and folders it may read, beside Python's own.
        writable: the one folder it may write to.
        accelerator: whether it may open the machine's accelerator devices.
    """

    cpu_s: int
    data_bytes: int
    file_bytes: int
    readable: Sequence[str] = ()
    writable: str | None = None
    accelerator: bool = False


@dataclass(frozen=True)
class Protection:
    """What the kernel offers: Landlock's ABI (0: none), unprivileged namespaces, a system call filter."""

    landlock: int
    namespaces: bool
    seccomp: bool

    @property
    def weak(self) -> bool:
        """Neither files nor the network can be taken away."""
        return self.landlock == 0 and not self.namespaces

    @property
    def missing(self) -> tuple[str, ...]:
        """What this kernel does not offer, for a person."""
        had = {
            "Landlock (files)": self.landlock > 0,
            "namespaces (network)": self.namespaces,
            "seccomp (system calls)": self.seccomp,
        }
        return tuple(name for name, there in had.items() if not there)

    def as_dict(self) -> dict[str, Any]:
        """For the readiness answer."""
        return {**asdict(self), "weak": self.weak}


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def _call(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def protection() -> Protection:
    """Try what the kernel offers, in children of their own."""
    return Protection(landlock.abi(), _works(_unshare), _works(_filter))


def _works(attempt: Any) -> bool:
    pid = os.fork()
    if pid == 0:
        os._exit(0 if attempt() else 1)
    return os.waitpid(pid, 0)[1] == 0


def _filter() -> bool:
    _call(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    return seccomp.restrict()


class WeakSandboxError(Exception):
    """A child cannot be shut in here; the message says what to do."""


def require(*, allow_weak: bool, whole: bool, data: Path | None = None) -> Protection:
    """What the kernel offers.

    Args:
        allow_weak: go on although neither files nor the network can be taken away.
        whole: go on only where nothing is missing.
        data: the folder of the service's own files, if it has one.

    Raises:
        WeakSandboxError: too little for that, or every child may read ``data``.
    """
    if data is not None and exposed(data):
        raise WeakSandboxError(
            f"The folder {data} lies among Python's own files, which every job may read. Name another with "
            "UNSTUCK_DATA (unstuck serve --data)."
        )
    found = protection()
    if whole and found.missing:
        raise WeakSandboxError(
            f"UNSTUCK_REQUIRE_SANDBOX is set, and this kernel or container does not offer: {', '.join(found.missing)}. "
            "docs/security.md says what each needs."
        )
    if found.weak and not allow_weak:
        raise WeakSandboxError(
            "This kernel offers neither Landlock nor unprivileged namespaces, so a model file could not be "
            "kept away from this machine. Set UNSTUCK_ALLOW_WEAK_SANDBOX=1 to go on all the same."
        )
    return found


def exposed(folder: Path) -> bool:
    """Whether every child may read ``folder``: it lies where Python's own files do."""
    resolved = folder.resolve()
    return any(resolved.is_relative_to(Path(library).resolve()) for library in _LIBRARIES)


def enter(limits: Limits, parent: int) -> None:
    """Enter the sandbox; there is no way back.  Call it in a process of one thread.

    Args:
        limits: what the process may use from here on.
        parent: the process that forked this one; when it is gone already, this one ends at once.
    """
    os.umask(0o077)
    os.setsid()
    alone = _unshare()
    _call(_LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))  # a change of credentials clears it
    if os.getppid() != parent:
        os._exit(1)
    _limit(limits, alone=alone)
    _call(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if (version := landlock.abi()) > 0:
        landlock.restrict(_grants(limits), version)
    tempfile.tempdir = limits.writable
    _drop_capabilities()
    make_private()
    seccomp.restrict()


def make_private() -> None:
    """Let no process of the same user look into this one's memory."""
    _call(_LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def _unshare() -> bool:
    return bool(_LIBC.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS) == 0)


def _limit(limits: Limits, *, alone: bool) -> None:
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_DATA, limits.data_bytes),
    ):
        resource.setrlimit(kind, (value, value))
    if alone:
        resource.setrlimit(resource.RLIMIT_NPROC, (_THREADS, _THREADS))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + _CPU_GRACE_S))


def _grants(limits: Limits) -> dict[int, tuple[str, ...]]:
    devices = tuple(str(path) for path in Path("/dev").glob(_ACCELERATORS)) if limits.accelerator else ()
    facts = _FACTS + (_ACCELERATOR_FACTS if devices else ())
    return {
        landlock.READ: (*_LIBRARIES, *facts, *limits.readable),
        landlock.DEVICE: (*_DEVICES, *devices),
        landlock.OUTPUT: (limits.writable,) if limits.writable else (),
    }


def _drop_capabilities() -> None:
    """Give up every capability, of the namespace too, and the way to get one back."""
    _LIBC.prctl(_PR_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    capability = 0
    while (
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
    ):  # fails behind the last, or without the right
        capability += 1
    header, nothing = _CapabilityHeader(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    _call(_LIBC.capset(ctypes.byref(header), nothing))

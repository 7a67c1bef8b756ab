"""System calls that a child gives up: a classic BPF program, put together here and handed to the kernel.

A list of what is denied, not of what is allowed: TensorFlow and the C library use several hundred calls,
other ones in every version.  Denied calls fail with EPERM, so that a library which only tries goes on;
``clone3`` fails with ENOSYS, on which the C library falls back to ``clone``, whose flags can be judged.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)

_DENIED: Final[dict[str, tuple[int | None, int | None]]] = {
    # run another program or start a process
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    # reach the network or another process
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "kcmp": (312, 272), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    # change what it may see, or mount
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429), "open_tree": (428, 428),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    # large attack surfaces of the kernel
    "io_setup": (206, 0), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "personality": (135, 92),
    "modify_ldt": (154, None), "lookup_dcookie": (212, 18),
    # administer the machine
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266), "syslog": (103, 116),
    "iopl": (172, None), "ioperm": (173, None), "vhangup": (153, 58), "setpriority": (141, 140),
    "ioprio_set": (251, 30),
}  # fmt: skip
"""Call -> its number on x86-64 and on AArch64 (asm/unistd_64.h, asm-generic/unistd.h); None: it has none."""

_CLONE3: Final = 435
_CLONE: Final = (56, 220)
_OWN_PROCESS_ONLY: Final = {"kill": (62, 129), "tgkill": (234, 131)}
_PRLIMIT: Final = (302, 261)

_CLONE_THREAD: Final = 0x00010000

_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine -> its column above and its AUDIT_ARCH."""

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32: Final = 0x40000000
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _TSYNC = 1, 1

_Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _fails(number: int, error: int) -> Iterator[_Instruction]:
    yield _EQUAL, 0, 1, number
    yield _RETURN, 0, 0, _FAIL | error


def _only(
    number: int, argument: int, values: tuple[int, ...], mask: int = 0xFFFFFFFF
) -> Iterator[_Instruction]:
    """The call is allowed where its argument, masked, is one of these values; only its low half counts."""
    yield _EQUAL, 0, len(values) + 4, number
    yield _LOAD, 0, 0, _ARGUMENTS + 8 * argument
    yield _AND, 0, 0, mask
    for left, value in zip(range(len(values), 0, -1), values, strict=True):
        yield _EQUAL, left, 0, value
    yield _RETURN, 0, 0, _FAIL | errno.EPERM
    yield _RETURN, 0, 0, _ALLOW


def _instructions(column: int, architecture: int, pid: int) -> Iterator[_Instruction]:
    yield _LOAD, 0, 0, _ARCHITECTURE
    yield _EQUAL, 1, 0, architecture
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, _NUMBER
    yield _AT_LEAST, 0, 1, _X32
    yield _RETURN, 0, 0, _KILL
    for numbers in _DENIED.values():
        if (number := numbers[column]) is not None:
            yield from _fails(number, errno.EPERM)
    yield from _fails(_CLONE3, errno.ENOSYS)
    yield from _only(_CLONE[column], 0, (_CLONE_THREAD,), mask=_CLONE_THREAD)
    for numbers in _OWN_PROCESS_ONLY.values():
        yield from _only(numbers[column], 0, (pid,))
    yield from _only(_PRLIMIT[column], 0, (0, pid))
    yield _RETURN, 0, 0, _ALLOW


def restrict() -> bool:
    """Filter the system calls of this process, every thread of it, for good.

    The process must have set ``no_new_privs``.

    Returns:
        Whether the kernel took the filter; False on a machine whose calls have no column here.
    """
    machine = platform.machine()
    if machine not in _MACHINES:
        return False
    code = list(_instructions(*_MACHINES[machine], os.getpid()))
    packed = b"".join(struct.pack("=HBBI", *one) for one in code)
    program = _Program(len(code), packed)
    answer = _LIBC.syscall(_SECCOMP[machine], _SET_MODE_FILTER, _TSYNC, ctypes.byref(program))
    return bool(answer == 0)

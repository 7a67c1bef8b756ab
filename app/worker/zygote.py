"""A zygote: a process that has imported what a child needs, and forks one for each request.

Its standard input is a packet socket to the supervisor.  A request is one packet: a JSON object with
``target``, ``arguments`` and ``limits``, and with it the writing end of the pipe on which the child
answers.  The zygote answers ``{"started": pid}`` and, later, ``{"exited": pid, "status": n}``; it
kills a child's whole process group on ``{"kill": pid}`` and when the child has ended.  It opens no
file of a job and speaks to no child, so it stays clean; it ends when the supervisor does.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from analyzers.errors import InputError
from app.worker import sandbox
from app.worker.messages import ExhaustedMessage, FaultMessage, InputErrorMessage, Sender

PACKET_BYTES = 2**16
Target = Callable[[Mapping[str, Any], Sender], None]
"""What a child runs: it gets the request's arguments and sends messages, the last of them a result."""


def serve(targets: Mapping[str, Target]) -> None:
    """Fork children until the supervisor closes the socket.

    Args:
        targets: the closed table of what a child may be asked to run.
    """
    sandbox.make_private()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=0)
    children: dict[int, int] = {}  # pidfd -> pid
    _say(control, ready=True)
    while True:
        for descriptor in select.select([control.fileno(), *children], [], [])[0]:
            if descriptor != control.fileno():
                _bury(control, descriptor, children.pop(descriptor))
                continue
            data, passed, _, _ = socket.recv_fds(control, PACKET_BYTES, 1)
            if not data:
                return
            request = json.loads(data)
            if "kill" in request:
                if request["kill"] in children.values():
                    _kill(request["kill"])
                continue
            pid = _fork(request, passed[0], targets)
            os.close(passed[0])
            children[os.pidfd_open(pid)] = pid
            _say(control, started=pid)


def _say(control: socket.socket, **answer: Any) -> None:
    control.send(json.dumps(answer).encode())


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):  # it may not have reached its own session yet
        os.kill(pid, signal.SIGKILL)


def _bury(control: socket.socket, pidfd: int, pid: int) -> None:
    _kill(pid)  # what it may have started; the pid stays taken until waitpid
    _, status = os.waitpid(pid, 0)
    os.close(pidfd)
    _say(control, exited=pid, status=os.waitstatus_to_exitcode(status))


def _fork(request: Mapping[str, Any], answer: int, targets: Mapping[str, Target]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _run(targets, request, parent, Sender(_close_inherited(answer)))
        status = 0
    finally:
        os._exit(status)


def _close_inherited(answer: int) -> int:
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(answer, 3)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(4, 2**16)
    return 3


def _run(targets: Mapping[str, Target], request: Mapping[str, Any], parent: int, sender: Sender) -> None:
    try:
        sandbox.enter(sandbox.Limits(**request["limits"]), parent)
        targets[request["target"]](request["arguments"], sender)
    except InputError as error:
        sender.send(InputErrorMessage(code=error.code, detail=error.detail[:4000]))
    except MemoryError:
        sender.send(ExhaustedMessage())
    except Exception:
        sender.send(FaultMessage(trace=traceback.format_exc()[-20_000:]))

"""The supervisor's side of a zygote: start it, have it fork a child, listen to the child, kill it."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Any, Final

from app.worker.exits import (
    ChildCrashedError,
    ChildLostError,
    ChildMemoryError,
    ChildSignalledError,
    ChildTimeoutError,
    cause_of,
)
from app.worker.messages import (
    ExhaustedMessage,
    Message,
    ProgressMessage,
    ProtocolError,
    Receiver,
    ResultMessage,
)
from app.worker.sandbox import Limits
from app.worker.watchdog import MemoryExceededError, OutputExceededError, Watchdog

_POLL_S: Final = 0.1
_START_S: Final = 120.0
"""Seconds that a zygote may take to import what it needs: TensorFlow takes 5 to 20."""
_ANSWER_S: Final = 10.0
_PACKET_BYTES: Final = 2**16
_TRACE_BYTES: Final = 8192

ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # the same file gives the same report
    "PYTHONDONTWRITEBYTECODE": "1",
    "HDF5_PLUGIN_PRELOAD": "::",  # no filter plugins
    "HDF5_USE_FILE_LOCKING": "FALSE",  # the upload is read-only
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": "/dev/null/keras",  # neither read nor written
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=0",
}
"""A zygote's whole environment: nothing of the service's own reaches a child."""

_DEVICES: Final = ("CUDA_VISIBLE_DEVICES",)
"""What a zygote is told of the worker's environment all the same: the accelerators that are this worker's."""

Watch = Callable[[], None]
"""Called ten times a second while a child runs; what it raises ends the child and passes through."""


def environment() -> dict[str, str]:
    """A zygote's environment."""
    return {**ENVIRONMENT, **{name: os.environ[name] for name in _DEVICES if name in os.environ}}


class Zygote:
    """One zygote process.

    Args:
        module: the module that serves, run as ``python -m``.

    Attributes:
        exits: why its children ended, for whoever counts that.
    """

    def __init__(self, module: str) -> None:
        self.exits: SimpleQueue[str] = SimpleQueue()
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._errors: IO[bytes] | None = None
        self._ready = False

    def start(self) -> None:
        """Start it if it does not run; does not wait for its imports."""
        if self._process is not None and self._process.poll() is None and self._control is not None:
            return
        self.close()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-s", "-m", self._module],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env=environment(),
                start_new_session=True,
            )
        self._control, self._ready = ours, False

    @property
    def pid(self) -> int | None:
        """Its process id; None when it is not running."""
        return self._process.pid if self._process is not None else None

    @property
    def ready(self) -> bool:
        """Whether it has imported everything and can fork at once, as far as was heard."""
        return self._ready

    def hear(self) -> None:
        """Take what it has said since; between two runs only.

        Raises:
            ChildLostError: it is gone.
        """
        if self._control is not None:
            self._listen(0.0)

    def run(
        self,
        target: str,
        arguments: Mapping[str, Any],
        limits: Limits,
        *,
        wall_s: float,
        progress: Callable[[ProgressMessage], None],
        watch: Watch,
    ) -> ResultMessage:
        """Run a child to its end.

        Args:
            target: a name of the zygote's table.
            arguments: its arguments, plain JSON values.
            limits: what it may use.
            wall_s: seconds after which it is killed.
            progress: called with what the child says on its way.
            watch: called again and again; may raise to stop the child.

        Returns:
            The child's result, checked.

        Raises:
            ChildTimeoutError: it used up its time.
            ChildMemoryError: it used up its memory.
            ChildCrashedError: it ended without a valid result.
            ChildLostError: it was killed from outside.
        """
        self.start()
        self._await_ready(watch)
        reading, writing = os.pipe()
        child = _Child(Receiver(reading), progress)
        try:
            try:
                pid = self._fork(target, arguments, limits, writing)
            finally:
                os.close(writing)
            try:
                result = self._follow(child, pid, Watchdog(pid, limits), time.monotonic() + wall_s, watch)
            except BaseException as error:
                self.exits.put(cause_of(error))
                raise
            self.exits.put(cause_of(result))
            return result
        finally:
            os.close(reading)

    def close(self) -> None:
        """End it, and with it every child."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None
        self._ready = False

    def __enter__(self) -> Zygote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _await_ready(self, watch: Watch) -> None:
        end = time.monotonic() + _START_S
        while not self._ready:
            watch()
            self._listen(_POLL_S)
            if time.monotonic() > end:
                raise ChildLostError("the zygote did not start")

    def _fork(self, target: str, arguments: Mapping[str, Any], limits: Limits, writing: int) -> int:
        request = json.dumps({"target": target, "arguments": arguments, "limits": asdict(limits)}).encode()
        try:
            socket.send_fds(self._socket, [request], [writing])
        except OSError as error:
            raise ChildLostError("the zygote is gone") from error
        answer = self._listen(_ANSWER_S)
        if answer is None or "started" not in answer:
            self.close()
            raise ChildLostError("the zygote did not fork")
        return int(answer["started"])

    def _follow(self, child: _Child, pid: int, watchdog: Watchdog, end: float, watch: Watch) -> ResultMessage:
        status: int | None = None
        try:
            while status is None:
                watch()
                watchdog.check()
                if time.monotonic() > end:
                    raise ChildTimeoutError
                waiting: Sequence[Any] = [self._socket] if child.ended else [self._socket, child.descriptor]
                select.select(waiting, [], [], _POLL_S)
                child.listen()
                status = self._exit_status(pid)
            child.listen()
        except ProtocolError as error:
            raise ChildCrashedError(f"protocol: {error}") from error
        except MemoryExceededError as error:
            raise ChildMemoryError from error
        except OutputExceededError as error:
            raise ChildCrashedError("it wrote too much") from error
        finally:
            if status is None and self._control is not None:
                self._kill(pid)
        return child.result(status)

    def _exit_status(self, pid: int) -> int | None:
        answer = self._listen(0.0)
        return int(answer["status"]) if answer and answer.get("exited") == pid else None

    def _kill(self, pid: int) -> None:
        try:
            self._socket.send(json.dumps({"kill": pid}).encode())
            end = time.monotonic() + _ANSWER_S
            while self._exit_status(pid) is None:
                if time.monotonic() > end:
                    raise ChildLostError("the child did not end")
                select.select([self._socket], [], [], _POLL_S)
        except (OSError, ChildLostError):
            self.close()  # takes every child with it

    @property
    def _socket(self) -> socket.socket:
        if self._control is None:
            raise ChildLostError("the zygote is gone")
        return self._control

    def _listen(self, timeout_s: float) -> dict[str, Any] | None:
        control = self._socket
        if not select.select([control], [], [], timeout_s)[0]:
            return None
        try:
            data = control.recv(_PACKET_BYTES)
        except OSError:
            data = b""
        if not data:
            trace = self._last_words()
            self.close()
            raise ChildLostError("the zygote is gone", trace)
        answer: dict[str, Any] = json.loads(data)
        self._ready = self._ready or "ready" in answer
        return answer

    def _last_words(self) -> str:
        if self._errors is None:
            return ""
        descriptor = self._errors.fileno()
        start = max(0, os.fstat(descriptor).st_size - _TRACE_BYTES)
        return os.pread(descriptor, _TRACE_BYTES, start).decode("utf-8", "replace")


class _Child:
    """What one child has said so far."""

    def __init__(self, receiver: Receiver, progress: Callable[[ProgressMessage], None]) -> None:
        self._receiver = receiver
        self._progress = progress
        self._result: ResultMessage | ExhaustedMessage | None = None

    @property
    def descriptor(self) -> int:
        return self._receiver.descriptor

    @property
    def ended(self) -> bool:
        return self._receiver.ended

    def listen(self) -> None:
        """Take what has arrived."""
        message: Message
        for message in self._receiver.receive():
            if self._result is not None:
                raise ProtocolError("a message after the result")
            if isinstance(message, ProgressMessage):
                self._progress(message)
            else:
                self._result = message

    def result(self, status: int) -> ResultMessage:
        """The result of a child that ended with this status."""
        if status == 0 and self._result is not None:
            if isinstance(self._result, ExhaustedMessage):
                raise ChildMemoryError
            return self._result
        if status in _OUT_OF_TIME:
            raise ChildTimeoutError
        if status == -9:
            raise ChildLostError("killed")
        if status < 0:
            raise ChildSignalledError(f"signal {-status}")
        raise ChildCrashedError(f"exit status {status}")


_OUT_OF_TIME: Final = (-24,)
"""Exit statuses of a child that used up its CPU seconds: SIGXCPU."""

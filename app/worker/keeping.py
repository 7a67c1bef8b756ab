"""Processes that must run as long as this one does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

import structlog

from app.settings import Settings

_RESTART_S: Final = 2.0
_STOP_S: Final = 10.0

_log = structlog.get_logger()


class KeptProcess:
    """A worker process that is started again when it ends.

    It ends when its standard input does, so it never outlives this process, however that ends.

    Args:
        settings: the service's.
        command: the module that it runs, and its arguments.
    """

    def __init__(self, settings: Settings, command: Sequence[str]) -> None:
        self._command = command
        self._environment = {**os.environ, **settings.environment()}
        self._stopping = threading.Event()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", *self._command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # its log is on standard error
            env=self._environment,
            start_new_session=True,
        )

    def _keep(self) -> None:
        while True:
            status = self._process.wait()
            self._let_go()
            if self._stopping.wait(_RESTART_S):
                return
            _log.error("the worker ended and is started again", status=status)
            try:
                self._process = self._start()
            except OSError as error:  # no memory or no process to spare: there may be soon
                _log.error("the worker could not be started", error=str(error))

    def _let_go(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self) -> None:
        """Let it give its job back, and end it."""
        self._stopping.set()
        self._let_go()
        end = time.monotonic() + _STOP_S
        while self._process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if self._process.poll() is None:
            self._process.kill()

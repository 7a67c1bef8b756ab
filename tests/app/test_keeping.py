"""A worker that ends is started again, also when it could not be for a while."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest

from app.settings import Settings
from app.worker import keeping
from app.worker.keeping import KeptProcess
from tests.app.processes import assert_gone
from tests.waiting import until

ENDS_WITH_ITS_INPUT = "json.tool"


def test_a_worker_is_kept_though_starting_it_fails_for_a_while(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, failures = subprocess.Popen, [OSError("no memory"), OSError("no process")]
    started: list[subprocess.Popen[bytes]] = []

    def start_or_fail(*arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
        if started and failures:
            raise failures.pop()
        started.append(start(*arguments, **named))
        return started[-1]

    monkeypatch.setattr(keeping, "_RESTART_S", 0.05)
    monkeypatch.setattr(subprocess, "Popen", start_or_fail)
    kept = KeptProcess(settings, [ENDS_WITH_ITS_INPUT])
    os.kill(started[0].pid, signal.SIGKILL)
    until(lambda: len(started) == 2)
    assert failures == []
    kept.stop()
    assert_gone([process.pid for process in started])
    assert len(started) == 2

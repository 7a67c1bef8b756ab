"""The zygote protocol with children of every kind: the real launcher, real forks, the real sandbox."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.worker.exits import ChildCrashedError, ChildLostError, ChildMemoryError, ChildTimeoutError
from app.worker.launcher import ENVIRONMENT, Zygote, environment
from app.worker.messages import FaultMessage, InputErrorMessage, ProgressMessage, ReadMessage, ResultMessage
from app.worker.sandbox import Limits
from tests.app.processes import assert_gone, stat
from tests.waiting import PATIENCE_S, until

LIMITS = Limits(cpu_s=20, data_bytes=2**30, file_bytes=2**20)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote("tests.app.zygote_targets") as started:
        started.start()
        yield started


class StopError(Exception):
    pass


def run(
    zygote: Zygote, target: str, limits: Limits = LIMITS, wall_s: float = PATIENCE_S, **arguments: object
) -> tuple[ResultMessage, list[ProgressMessage]]:
    events: list[ProgressMessage] = []
    result = zygote.run(target, arguments, limits, wall_s=wall_s, progress=events.append, watch=lambda: None)
    return result, events


def noted(folder: Path) -> int | None:
    """The id that a child has written."""
    path = folder / "pid"
    return int(path.read_text() or 0) if path.exists() else None


def test_progress_and_result_arrive(zygote: Zygote) -> None:
    result, events = run(zygote, "echo", events=5)
    assert isinstance(result, ReadMessage)
    assert [event.step for event in events] == [0, 1, 2, 3, 4]


def test_a_child_imports_nothing_again(zygote: Zygote) -> None:
    """What the zygote and its children have used of the processor, which does not depend on who else does."""
    assert zygote.pid is not None

    def used_s(pid: int) -> float:
        return sum(int(ticks) for ticks in stat(pid)[11:15]) / os.sysconf("SC_CLK_TCK")

    run(zygote, "echo", events=0)
    before = used_s(zygote.pid)
    for _ in range(10):
        run(zygote, "echo", events=0)
    assert (used_s(zygote.pid) - before) / 10 < 0.2


def test_a_hanging_child_is_killed_at_its_time(zygote: Zygote) -> None:
    with pytest.raises(ChildTimeoutError):
        run(zygote, "hang", wall_s=0.5)
    assert run(zygote, "echo", events=1)[0] == ReadMessage()


def test_a_child_that_burns_its_cpu_seconds_is_killed(zygote: Zygote) -> None:
    with pytest.raises(ChildTimeoutError):
        run(zygote, "burn", replace(LIMITS, cpu_s=1))


def test_what_watch_raises_kills_the_child_with_its_threads(zygote: Zygote, tmp_path: Path) -> None:
    def watch() -> None:
        if noted(tmp_path):
            raise StopError

    limits = replace(LIMITS, writable=str(tmp_path))
    arguments = {"directory": str(tmp_path)}
    with pytest.raises(StopError):
        zygote.run("hang_in_threads", arguments, limits, wall_s=PATIENCE_S, progress=print, watch=watch)
    assert_gone([noted(tmp_path) or 0])


@pytest.mark.parametrize("signal_name", ["SIGSEGV", "SIGABRT", "SIGBUS"])
def test_a_crash_is_told(zygote: Zygote, signal_name: str) -> None:
    with pytest.raises(ChildCrashedError):
        run(zygote, "crash", signal=signal_name)


def test_a_child_killed_from_outside_is_lost_not_crashed(zygote: Zygote) -> None:
    with pytest.raises(ChildLostError):
        run(zygote, "crash", signal="SIGKILL")


def test_success_without_a_result_is_a_crash(zygote: Zygote) -> None:
    with pytest.raises(ChildCrashedError):
        run(zygote, "silent_success")


@pytest.mark.parametrize(
    "text",
    [
        "not json\n",
        "{}\n",
        "[]\n",
        '{"type": "read", "extra": 1}\n',
        '{"type": "report", "report": {"verdict": "converges"}}\n',
        '{"type": "progress", "stage": "probing", "fraction": NaN, "message": ""}\n',
        '{"type": "progress", "stage": "hacking", "fraction": 0, "message": ""}\n',
        '{"type": "input_error", "code": "no-such-code", "detail": ""}\n',
        '{"type": "read"}\n{"type": "read"}\n',
        '{"type": "read"}',
        "[" * 50_000 + "\n",
    ],
)
def test_what_is_no_message_is_a_crash(zygote: Zygote, text: str) -> None:
    with pytest.raises(ChildCrashedError):
        run(zygote, "raw", text=text)


def test_a_line_without_end_is_cut_off(zygote: Zygote) -> None:
    with pytest.raises(ChildCrashedError, match=r"too long|too many"):
        run(zygote, "flood")


def test_errors_of_the_file_and_of_ours_are_told_apart(zygote: Zygote) -> None:
    assert run(zygote, "unusable")[0] == InputErrorMessage(code="corrupt-file", detail="byte 7")
    result = run(zygote, "fault")[0]
    assert isinstance(result, FaultMessage)
    assert "a mistake of ours" in result.trace


def test_memory_is_limited(zygote: Zygote) -> None:
    with pytest.raises(ChildMemoryError):
        run(zygote, "greedy")


def test_memory_that_the_kernel_does_not_count_is_limited_too(zygote: Zygote) -> None:
    with pytest.raises(ChildMemoryError):
        run(zygote, "greedy_beyond_the_kernels_count", replace(LIMITS, data_bytes=2**28))
    assert run(zygote, "echo", events=1)[0] == ReadMessage()


def test_many_files_are_as_limited_as_one(zygote: Zygote, tmp_path: Path) -> None:
    limits = replace(LIMITS, writable=str(tmp_path))
    with pytest.raises(ChildCrashedError, match="wrote too much"):
        run(zygote, "writes_many_files", limits, directory=str(tmp_path))
    result = run(zygote, "writes_a_long_file", limits, directory=str(tmp_path))[0]
    assert isinstance(result, FaultMessage)
    assert "File too large" in result.trace
    assert (tmp_path / "long").stat().st_size == LIMITS.file_bytes


def test_the_sandbox_holds(zygote: Zygote, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        result, _ = run(
            zygote,
            "surroundings",
            replace(LIMITS, writable=str(output)),
            directory=str(output),
            outside=str(tmp_path / "outside"),
            secret=str(secret),
            port=server.getsockname()[1],
        )
    assert isinstance(result, ReadMessage)
    assert (output / "moved").exists()
    assert (output / "worked").read_text() == ""
    status = dict(line.split(":\t") for line in (output / "status").read_text().splitlines() if ":\t" in line)
    assert {status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert not any(name.startswith("UNSTUCK") for name in (output / "environment").read_text().split())
    assert {int(number) for number in (output / "descriptors").read_text().split()} <= {0, 1, 2, 3, 4}


def test_a_zygote_that_is_killed_takes_its_child_along_and_is_started_again(tmp_path: Path) -> None:
    with Zygote("tests.app.zygote_targets") as zygote:

        def watch() -> None:
            if noted(tmp_path) and zygote.pid is not None:
                os.kill(zygote.pid, signal.SIGKILL)

        limits = replace(LIMITS, writable=str(tmp_path))
        arguments = {"directory": str(tmp_path)}
        with pytest.raises(ChildLostError):
            zygote.run("hang_in_threads", arguments, limits, wall_s=PATIENCE_S, progress=print, watch=watch)
        assert_gone([noted(tmp_path) or 0])
        assert run(zygote, "echo", events=1)[0] == ReadMessage()


def test_a_zygote_that_cannot_start_says_why() -> None:
    with Zygote("tests.app.no_such_module") as zygote, pytest.raises(ChildLostError) as caught:
        run(zygote, "echo", events=1)
    assert "No module named" in caught.value.trace


def test_everything_ends_with_the_supervisor(tmp_path: Path) -> None:
    program = (
        "from app.worker.launcher import Zygote; from app.worker.sandbox import Limits;"
        "z = Zygote('tests.app.zygote_targets'); z.start();"
        f"l = Limits(20, 2**30, 2**20, (), {str(tmp_path)!r});"
        f"z.run('hang_in_threads', {{'directory': {str(tmp_path)!r}}}, l, wall_s=600,"
        " progress=print, watch=lambda: None)"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as supervisor:
        child = until(lambda: noted(tmp_path))
        supervisor.kill()
    assert_gone([child])


def test_a_zygote_is_told_which_accelerators_are_its_workers_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("UNSTUCK_SECRET", "s" * 32)
    assert environment() == {**ENVIRONMENT, "CUDA_VISIBLE_DEVICES": "3"}

"""Where a child cannot be shut in well enough, nothing starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.worker import sandbox
from app.worker.sandbox import Protection, WeakSandboxError, exposed, require

WHOLE = Protection(4, namespaces=True, seccomp=True)
NO_NAMESPACES = Protection(4, namespaces=False, seccomp=True)
NOTHING = Protection(0, namespaces=False, seccomp=True)


def _offers(monkeypatch: pytest.MonkeyPatch, found: Protection) -> None:
    monkeypatch.setattr(sandbox, "protection", lambda: found)


@pytest.mark.parametrize("found", [WHOLE, NO_NAMESPACES])
def test_one_way_to_take_files_or_network_away_is_enough(
    monkeypatch: pytest.MonkeyPatch, found: Protection
) -> None:
    _offers(monkeypatch, found)
    assert require(allow_weak=False, whole=False) == found


def test_none_is_refused_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    _offers(monkeypatch, NOTHING)
    with pytest.raises(WeakSandboxError, match="UNSTUCK_ALLOW_WEAK_SANDBOX=1"):
        require(allow_weak=False, whole=False)
    assert require(allow_weak=True, whole=False) == NOTHING


def test_where_all_of_it_is_required_whatever_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _offers(monkeypatch, WHOLE)
    assert require(allow_weak=False, whole=True) == WHOLE
    _offers(monkeypatch, NO_NAMESPACES)
    with pytest.raises(WeakSandboxError, match=r"does not offer: namespaces \(network\)\."):
        require(allow_weak=True, whole=True)


def test_a_folder_among_pythons_own_files_is_exposed(tmp_path: Path) -> None:
    assert exposed(Path(sys.prefix) / "data")
    assert not exposed(tmp_path)


@pytest.mark.parametrize("command", [["serve"], ["worker"]])
def test_neither_server_nor_worker_keeps_its_files_there(command: list[str]) -> None:
    folder = Path(sys.prefix) / "unstuck-data"
    environment = {"UNSTUCK_DATA": str(folder), "UNSTUCK_BROKER_URL": "redis://127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "lies among Python's own files" in done.stderr

"""The service and the command line with the real children: a stuck model from door to door."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import keras
import pytest

from analyzers.report import Report
from app import cli
from tests.app import server as servers
from tests.app.server import Server
from tests.probe.models import plain
from tests.support import saved
from tests.waiting import PATIENCE_S

BUDGET_S = 300
"""Far more than the diagnosis takes: a busy machine must not change what comes out of it."""
DIAGNOSIS_S = BUDGET_S + 60
SCALE = "standardized"
VARIES = ("id", "created_at", "timings")
"""What differs between two reports on the same file with the same options."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = servers.start(tmp_path_factory.mktemp("service"), servers.REAL, wait_s=DIAGNOSIS_S)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def stuck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain network at a hundred times the rate that suits it."""
    return saved(plain(keras.optimizers.Adam(0.3)), tmp_path_factory.mktemp("stuck"))


def send(client: httpx2.Client, path: Path, wait: float, **fields: str) -> httpx2.Response:
    with path.open("rb") as file:
        return client.post(
            "/v1/diagnoses",
            params={"wait": wait},
            files={"file": (path.name, file)},
            data=fields,
            timeout=DIAGNOSIS_S + 30,
        )


def constant(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in VARIES}


def test_a_report_without_probe_is_quick_and_the_same_twice(server: Server, stuck: Path) -> None:
    with server.client() as client:
        first, second = (send(client, stuck, PATIENCE_S, probe="off") for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 200)
        assert constant(first.json()) == constant(second.json())
        report = Report.model_validate(first.json())
        assert report.probe is None
        assert report.model.size_bytes == stuck.stat().st_size
        assert {check.rule for check in report.checks if check.outcome in ("error", "skipped")} == set()
        job = client.get(first.headers["location"]).json()
        assert job["sha256"] == report.model.sha256
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "tensorflow" not in mapped
    assert "h5py" not in mapped
    assert server.resident_bytes() < 200 * 2**20


@pytest.mark.timeout(DIAGNOSIS_S + 200)
def test_a_stuck_model_gets_a_verified_fix_and_a_repaired_model(server: Server, stuck: Path) -> None:
    with server.client() as client:
        response = send(client, stuck, DIAGNOSIS_S, budget_s=str(BUDGET_S), input_range=SCALE)
        assert response.status_code == 200, response.text
        report = Report.model_validate(response.json())
        assert report.verdict == "stuck"
        assert report.fix is not None
        assert report.fix.verified
        assert report.fix.repaired_model == f"{response.headers['location']}/repaired-model"
        with client.stream("GET", report.fix.repaired_model) as repaired:
            assert next(repaired.iter_raw())[:2] == b"PK"
        events = client.get(f"{response.headers['location']}/events").text
        data = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: ")]
        steps = [item["step"] for item in data if item.get("step") is not None]
        assert len(steps) >= 5
        assert steps == sorted(steps)
        fractions = [item["fraction"] for item in data if "fraction" in item]
        assert fractions == sorted(fractions)


def test_a_file_that_is_no_model_ends_with_its_code(server: Server, stuck: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.keras"
    path.write_bytes(stuck.read_bytes()[:5000])
    with server.client() as client:
        response = send(client, path, PATIENCE_S)
    assert response.status_code == 422
    assert response.json()["kind"] == "input"


def diagnose(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "diagnose", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)


def test_the_command_line_diagnoses_in_its_own_children(stuck: Path, tmp_path: Path) -> None:
    static = diagnose(str(stuck), "--probe", "off", "--format", "json", "--fail-on", "warning")
    assert (static.returncode, static.stderr) == (cli.FOUND, "")
    assert json.loads(static.stdout)["probe"] is None
    (tmp_path / "bad.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    bad = diagnose(str(tmp_path / "bad.h5"), "--probe", "off")
    assert (bad.returncode, bad.stdout) == (cli.UNUSABLE, "")
    assert bad.stderr.startswith("unstuck: ")
    assert "Traceback" not in bad.stderr

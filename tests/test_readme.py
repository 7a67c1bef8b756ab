"""The README's commands, as they stand there, on the real command line and a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import keras
import pytest

from analyzers.report import Report
from tests.app.server import REAL, Server, start
from tests.probe.models import plain
from tests.support import saved
from tests.zoo.files import model_file

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BASH = shutil.which("bash") or "bash"
SERVED = "http://127.0.0.1:8000"
"""The address that the README names."""


def block(marker: str) -> str:
    """The code block under ``<!-- tested: MARKER -->``."""
    found = re.search(rf"<!-- tested: {marker} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, f"no block {marker}"
    return found.group(1)


def command(marker: str) -> str:
    """The one line of a job's block that calls unstuck."""
    lines = [line.strip() for line in block(marker).splitlines()]
    calls = [line for line in lines if re.match(r"(run: |- )unstuck ", line)]
    assert len(calls) == 1
    return re.sub(r"^(run: |- )", "", calls[0])


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as a CI job would, with ``unstuck`` on the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [BASH, "-euo", "pipefail", "-c", line],
        cwd=folder,
        env=os.environ | {"PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = start(tmp_path_factory.mktemp("served"), REAL)
    yield started
    started.stop()


def with_model(folder: Path, name: str) -> Path:
    shutil.copy(model_file(name), folder / "model.keras")
    return folder


def test_curl_answers_with_the_report(server: Server, tmp_path: Path) -> None:
    line = block("curl").strip()
    assert SERVED in line
    done = shell(line.replace(SERVED, server.url), with_model(tmp_path, "healthy-perceptron"))
    assert done.returncode == 0, done.stderr
    assert Report.model_validate_json(done.stdout).verdict == "converges"


@pytest.mark.timeout(900)
def test_command_line_repairs_a_stuck_model(tmp_path: Path) -> None:
    (tmp_path / "unstuck.toml").write_text(
        '[diagnose]\nbudget_s = 300\ninput_range = "standardized"\n', "utf-8"
    )
    saved(plain(keras.optimizers.Adam(0.3)), tmp_path).rename(tmp_path / "model.keras")
    done = shell(block("cli").strip(), tmp_path)
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "repaired.keras").stat().st_size > 0


def test_github_job_fails_the_build_and_leaves_sarif(tmp_path: Path) -> None:
    line = command("github")
    done = shell(f"{line} --probe off", with_model(tmp_path, "c5"))
    assert done.returncode == 0, done.stderr
    uploaded = re.search(r"sarif_file: (\S+)", block("github"))
    assert uploaded is not None
    sarif = json.loads((tmp_path / uploaded.group(1)).read_text("utf-8"))
    assert sarif["version"] == "2.1.0"
    assert sarif["runs"][0]["results"]
    assert shell(f"{line} --probe off --fail-on warning", tmp_path).returncode == 1


def test_gitlab_job_passes_a_healthy_model_and_leaves_junit(tmp_path: Path) -> None:
    done = shell(command("gitlab"), with_model(tmp_path, "healthy-perceptron"))
    assert done.returncode == 0, done.stderr
    kept = re.search(r"junit: (\S+)", block("gitlab"))
    assert kept is not None
    assert list(ElementTree.parse(tmp_path / kept.group(1)).getroot().iter("testcase"))  # noqa: S314 - our own output


def test_jobs_refuse_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_text("<!doctype html>", "utf-8")
    assert shell(command("github"), tmp_path).returncode == 2


def test_options_file_is_understood(tmp_path: Path) -> None:
    text = block("toml")
    assert tomllib.loads(text)["diagnose"]
    (tmp_path / "unstuck.toml").write_text(text, "utf-8")
    with_model(tmp_path, "c5")
    done = shell("unstuck diagnose model.keras --probe off --format json", tmp_path)
    assert Report.model_validate_json(done.stdout).ignored == ["fixed-batch-size", "redundant-bias"], (
        done.stderr
    )


def test_every_file_that_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).exists(), target

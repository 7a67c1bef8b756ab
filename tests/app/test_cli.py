"""The command line as a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analyzers.options import Options
from app import cli
from app.client import _events
from app.settings import Settings
from app.store import open_store
from tests.app import server as servers
from tests.app.backends import DATABASES, database_url
from tests.app.scripted_zygote import script
from tests.app.server import Server
from tests.waiting import PATIENCE_S


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = servers.start(tmp_path_factory.mktemp("service"))
    yield started
    started.stop()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.h5"
    path.write_bytes(script())
    return path


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, app.cli; heavy = {'pydantic', 'fastapi', 'sqlalchemy', 'numpy', 'h5py', 'keras', 'tensorflow'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    shown = run("--help")
    assert shown.returncode == 0
    assert all(command in shown.stdout for command in ("serve", "diagnose", "rules", "version"))


def test_a_server_is_asked_and_its_report_rendered(server: Server, model: Path, tmp_path: Path) -> None:
    output, repaired = tmp_path / "report.json", tmp_path / "repaired.keras"
    result = run(
        "diagnose", str(model), "--server", server.url, "--format", "json",
        "--output", str(output), "--repaired", str(repaired), "--seed", "7",
    )  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (cli.FOUND, "", "")
    report = json.loads(output.read_text())
    assert report["verdict"] == "stuck"
    assert repaired.read_bytes() == b"repaired"
    with server.client() as client:
        assert client.get(f"/v1/diagnoses/{report['id']}").json()["options"]["seed"] == 7


def test_the_exit_code_follows_fail_on(server: Server, model: Path) -> None:
    result = run("diagnose", str(model), "--server", server.url, "--fail-on", "never")
    assert result.returncode == cli.FINE
    assert "stuck" in result.stdout.lower()


def test_an_unusable_file_is_told(server: Server, tmp_path: Path) -> None:
    model = tmp_path / "model.h5"
    model.write_bytes(script(reading="unusable"))
    result = run("diagnose", str(model), "--server", server.url)
    assert (result.returncode, result.stdout) == (cli.UNUSABLE, "")
    assert "[no-layers]" in result.stderr
    model.write_bytes(b"GIF89a")
    assert run("diagnose", str(model), "--server", server.url).returncode == cli.UNUSABLE


def test_our_own_faults_are_told_apart(server: Server, tmp_path: Path) -> None:
    model = tmp_path / "model.h5"
    model.write_bytes(script(probe="fault"))
    assert run("diagnose", str(model), "--server", server.url).returncode == cli.FAILED
    with servers.closed_port() as port:
        unreachable = run("diagnose", str(model), "--server", f"http://127.0.0.1:{port}")
    assert unreachable.returncode == cli.FAILED
    assert "cannot be reached" in unreachable.stderr


def test_a_missing_file_and_bad_options_are_unusable(model: Path, tmp_path: Path) -> None:
    assert (
        run("diagnose", str(tmp_path / "none.h5"), "--server", "http://127.0.0.1:1").returncode
        == cli.UNUSABLE
    )
    result = run("diagnose", str(model), "--learning-rate", "-1")
    assert result.returncode == cli.UNUSABLE
    assert "learning_rate" in result.stderr


def test_settings_come_from_the_file_and_flags_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("unstuck.toml").write_text(
        '[diagnose]\nfail-on = "warning"\nbudget_s = 30\nignore = ["a", "b"]\nlearning_rate = 0.1\n'
    )
    own, options = cli._configure({"learning_rate": 0.5, "format": None})
    assert own == {"format": "text", "fail_on": "warning", "server": None}
    assert options == Options(budget_s=30, ignore=("a", "b"), learning_rate=0.5)


@pytest.mark.parametrize(
    "text",
    ["[diagnose]\nno_such = 1\n", "[diagnose\n", '[diagnose]\nformat = "pdf"\n', "[diagnose]\nseed = -1\n"],
)
def test_a_bad_settings_file_is_told(tmp_path: Path, model: Path, text: str) -> None:
    (tmp_path / "unstuck.toml").write_text(text)
    result = run("diagnose", str(model), cwd=tmp_path)
    assert result.returncode == cli.UNUSABLE
    assert "Traceback" not in result.stderr


def test_a_public_address_is_refused(tmp_path: Path) -> None:
    result = run("serve", "--host", "0.0.0.0", "--port", "0", "--data", str(tmp_path))  # noqa: S104
    assert result.returncode == cli.FAILED
    assert "UNSTUCK_ALLOW_UNAUTHENTICATED" in result.stderr


def test_rules_and_version() -> None:
    listed = run("rules")
    assert listed.returncode == 0
    name = listed.stdout.split()[0]
    assert "What it checks" in run("rules", name).stdout
    assert run("rules", "no-such-rule").returncode == cli.UNUSABLE
    assert "Keras 3" in run("version").stdout


def test_events_are_taken_apart_as_the_standard_says() -> None:
    lines = [
        ": ping",
        "",
        "event: progress",
        "id: 4",
        'data: {"a":',
        "data: 1}",
        "",
        "event: done",
        "data: {}",
        "",
    ]
    assert list(_events(iter(lines))) == [("progress", "4", {"a": 1}), ("done", "", {})]


def test_keys_are_made_listed_and_revoked_and_open_a_closed_server(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = str(tmp_path / "closed")
    made = run("keys", "create", "ci", "--days", "1", "--data", data)
    assert made.returncode == 0
    key = re.search("usk_[0-9a-f]+_[0-9a-f]+", made.stdout)
    assert key is not None
    assert "whsec_" in made.stdout
    key_id = key.group().split("_")[1]
    listed = run("keys", "list", "--data", data).stdout
    assert key_id in listed
    assert key.group() not in listed
    assert "holds until" in listed
    assert run("keys", "create", "x", "--scopes", "all", "--data", data).returncode != 0
    closed = servers.start(Path(data))
    try:
        asked = ("diagnose", str(model), "--server", closed.url)
        assert run(*asked).returncode == cli.UNUSABLE
        monkeypatch.setenv(cli.KEY, key.group())
        assert run(*asked).returncode == cli.FOUND
        assert run("keys", "revoke", key_id, "--data", data).returncode == 0
        refused = run(*asked)
        assert (refused.returncode, "key-invalid" in refused.stderr) == (cli.UNUSABLE, True)
    finally:
        closed.stop()
    assert "revoked" in run("keys", "list", "--data", data).stdout


@pytest.mark.parametrize("database", DATABASES)
def test_a_database_is_brought_up_to_date_by_a_command(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database_url(database) as url:
        monkeypatch.setenv("UNSTUCK_DATABASE_URL", url)
        for _ in range(2):
            assert CliRunner().invoke(cli.app, ["migrate", "--data", str(tmp_path)]).exit_code == cli.FINE
        store = open_store(Settings(data=tmp_path, database_url=url))
        assert not store.keys.exist()
        store.database.close()


def test_a_database_that_is_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.closed_port() as port:
        monkeypatch.setenv("UNSTUCK_DATABASE_URL", f"postgresql+psycopg://nobody@127.0.0.1:{port}/none")
        result = CliRunner().invoke(cli.app, ["migrate", "--data", str(tmp_path)])
    assert (result.exit_code, "does not answer" in result.stderr) == (cli.FAILED, True)


def test_a_worker_without_a_broker_says_what_to_set() -> None:
    result = run("worker")
    assert (result.returncode, "UNSTUCK_BROKER_URL" in result.stderr) == (cli.FAILED, True)

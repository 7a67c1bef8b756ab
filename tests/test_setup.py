"""The set-up does what it says: targets, bootstrap, containers, the check that CI runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKE = shutil.which("make") or "make"
BASH = shutil.which("bash") or "bash"


def make(*arguments: str, folder: Path = ROOT, path: str = os.environ["PATH"]) -> str:
    environment = os.environ | {"PATH": path}
    done = subprocess.run(
        [MAKE, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_make_alone_lists_every_target() -> None:
    phony = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    targets = " ".join(phony).split()
    assert "demo" in targets
    listed = make()
    for target in targets:
        assert f"make {target} " in listed


def without_uv(tmp_path: Path) -> str:
    """A PATH with python3, make and what make's recipes need, but without uv."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("python3", "make", "sh", "bash", "touch", "grep", "awk"):
        found = shutil.which(tool)
        assert found, tool
        (tools / tool).symlink_to(found)
    return str(tools)


def test_set_up_fetches_uv_where_it_is_missing(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, checkout)
    planned = make("-n", "test", folder=checkout, path=without_uv(tmp_path))
    bootstrap = planned.index("python3 -m venv .tools")
    install = planned.index(".tools/bin/pip install --quiet uv==")
    sync = planned.index(".tools/bin/uv sync --locked")
    assert bootstrap < install < sync < planned.index(".tools/bin/uv run --no-sync pytest")


def test_image_and_makefile_pin_the_same_uv() -> None:
    pinned = re.findall(r"uv==([\d.]+)|UV_VERSION := ([\d.]+)", (ROOT / "Dockerfile").read_text("utf-8"))
    pinned += re.findall(r"uv==([\d.]+)|UV_VERSION := ([\d.]+)", (ROOT / "Makefile").read_text("utf-8"))
    assert len(pinned) == 2
    assert len({first or second for first, second in pinned}) == 1


def test_container_is_closed_but_for_loopback_and_does_not_run_as_root() -> None:
    assert '"127.0.0.1:8000:8000"' in (ROOT / "docker-compose.yml").read_text("utf-8")
    image = (ROOT / "Dockerfile").read_text("utf-8")
    assert "--uid 10001 unstuck" in image
    assert "USER 10001" in image
    assert "--locked --no-dev" in image


@pytest.mark.parametrize(
    ("summary", "passes"),
    [
        ("==== 3 passed in 0.1s ====", True),
        ("==== 3 passed, 1 skipped in 0.1s ====", False),
        ("==== 3 passed, 1 xfailed in 0.1s ====", False),
    ],
)
def test_ci_fails_on_a_skip_and_ends_with_the_summary(tmp_path: Path, summary: str, passes: bool) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, body in (("make", f'[ "$1" = check ] || echo "{summary}"'), ("chromium", "true")):
        (tools / name).write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        (tools / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        [BASH, str(ROOT / ".ci" / "run")], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is passes
    assert done.stdout.splitlines()[-1] == summary

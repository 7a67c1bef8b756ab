from __future__ import annotations

from pathlib import Path

import pytest

from app import settings
from app.memory import memory_bytes

MACHINE = memory_bytes(Path("/nonexistent"))


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/a/b", {"a/b/memory.max": "4000", "a/memory.max": "max"}, 4000),
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": "3000"}, 3000),
        ("0::/", {"memory.max": "2000"}, 2000),
        ("0::/", {}, MACHINE),
        ("5:cpu,memory:/docker/1\n0::/", {"memory/memory.limit_in_bytes": "1000"}, 1000),
        ("4:memory:/x", {"memory/x/memory.limit_in_bytes": "9223372036854771712"}, MACHINE),
        ("4:cpu:/x", {"memory/x/memory.limit_in_bytes": "1000"}, MACHINE),
    ],
)
def test_the_lowest_limit_of_the_control_groups_holds(
    tmp_path: Path, groups: str, limits: dict[str, str], expected: int
) -> None:
    for name, text in {"proc/self/cgroup": groups, **limits}.items():
        path = tmp_path / name if name.startswith("proc") else tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert memory_bytes(tmp_path) == expected


@pytest.mark.parametrize(("there", "given"), [(4 * 2**30, 0.6 * 4 * 2**30), (2**40, 2**33), (2**20, 2**28)])
def test_a_diagnosis_is_given_a_share_of_what_there_is(
    monkeypatch: pytest.MonkeyPatch, there: int, given: float
) -> None:
    monkeypatch.setattr(settings, "memory_bytes", lambda: there)
    assert settings.default_memory_bytes() == int(given)

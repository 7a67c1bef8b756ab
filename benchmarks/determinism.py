"""The same file, options and machine, twice, in two processes: the reports must be the same.

``python -m benchmarks.determinism [NAME ...]`` (small twins of C1 and C5 unless named otherwise).
Everything is compared except ``id``, ``created_at`` and ``timings``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.running import RESULTS, run_one
from tests.zoo.files import model_file

FREE: Final = ("id", "created_at", "timings")
"""What may differ between two reports on the same file."""


def differences(first: Any, second: Any, path: str = "") -> Iterator[str]:
    """Every place where two plain JSON values differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted(first.keys() | second.keys()):
            yield from differences(first.get(key), second.get(key), f"{path}.{key}")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif first != second:
        yield f"{path}: {first!r} != {second!r}"


def compare(name: str) -> list[str]:
    """Diagnose a zoo model twice and list what differs."""
    path = model_file(name, "keras", "small")
    reports = []
    for turn in ("first", "second"):
        result = run_one(path, RESULTS / f"determinism.{name}.{turn}.json")
        if "failure" in result:
            return [result["failure"]]
        reports.append({key: value for key, value in result["report"].items() if key not in FREE})
    return list(differences(reports[0], reports[1]))


def main(names: list[str]) -> int:
    """Compare and print; 1 where two reports differ."""
    status = 0
    for name in names or ["c1", "c5"]:
        found = compare(name)
        print(f"{name}: {'the same report twice' if not found else f'{len(found)} differences'}", flush=True)
        for line in found[:10]:
            print(f"  {line}")
        status |= bool(found)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

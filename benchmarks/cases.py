"""The founding cases and the healthy applications through the real pipeline.

    python -m benchmarks.cases [--only c5,vgg16 ...] [--scale full|small] [--resume] [--write]

Every model file is diagnosed in a process of its own.  Results are kept under ``benchmarks/results``
(``--resume`` keeps those of the same file by the same engine); ``--write`` writes the table to RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analyzers.report import Report
from benchmarks.running import RESULTS, machine, run_one, state
from tests.zoo.cases import CASES
from tests.zoo.cases.case import Expectation, Scale
from tests.zoo.files import FORMATS, Format, model_file
from tests.zoo.healthy import APPLICATIONS
from tests.zoo.judge import mismatches

TABLE: Final = Path(__file__).with_name("RESULTS.md")
COLUMNS: Final = (
    "model",
    "format",
    "verdict",
    "top finding",
    "verified fix",
    "seconds",
    "peak GiB",
    "as expected",
)
GIB: Final = 2**30


@dataclass(frozen=True)
class Entry:
    """One model file to measure."""

    name: str
    fmt: Format
    scale: Scale
    expectation: Expectation

    @property
    def result(self) -> Path:
        """Where its result is kept."""
        return RESULTS / f"{self.name}.{self.scale}.{self.fmt}.json"

    def kept(self, path: Path) -> dict[str, Any] | None:
        """The result of an earlier run on this very file by this very engine."""
        if not self.result.exists():
            return None
        result: dict[str, Any] = json.loads(self.result.read_text("utf-8"))
        return result if result.get("state") == state(path) else None


def entries(scale: Scale, only: Iterable[str]) -> Iterator[Entry]:
    """Cases in both formats, then the applications; ``only`` keeps names that start with one of its words."""
    words = tuple(only)
    for name, case in CASES.items():
        if not words or name.startswith(words):
            for fmt in FORMATS:
                yield Entry(name, fmt, scale, case.expectation)
    for name, model in APPLICATIONS.items():
        if not words or name.startswith(words):
            yield Entry(name, "keras", "full", model.expectation)


def row(entry: Entry, result: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table."""
    if "failure" in result:
        return (
            entry.name,
            entry.fmt,
            "-",
            "-",
            "-",
            "-",
            "-",
            "FAILED: " + result["failure"].splitlines()[-1],
        )
    report = Report.model_validate(result["report"])
    top = next((f for f in report.findings if f.status != "refuted"), None)
    wrong = mismatches(report, entry.expectation)
    return (
        entry.name,
        entry.fmt,
        report.verdict,
        f"{top.rule} ({top.severity}, {top.status})" if top else "-",
        _fix(report),
        f"{result['total_s']:.0f}",
        f"{result['peak_bytes'] / GIB:.1f}",
        "; ".join(wrong) or "yes",
    )


def _fix(report: Report) -> str:
    if report.fix is None:
        return "-"
    changes = " + ".join(change.intervention for change in report.fix.changes)
    proof = f"{report.fix.proof.cured}/{len(report.fix.proof.seeds)} seeds"
    return f"{changes} ({proof})" if report.fix.verified else f"none verified; best {changes} ({proof})"


def table(rows: list[tuple[str, ...]]) -> str:
    """The rows as a Markdown table under a line that names the machine."""
    lines = [f"Measured on: {machine()}.", "", _line(COLUMNS), _line("---" for _ in COLUMNS)]
    return "\n".join([*lines, *(_line(cells) for cells in rows)]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="names, separated by commas; c5 means all of C5")
    parser.add_argument("--scale", choices=("full", "small"), default="full", help="size of the cases")
    parser.add_argument("--resume", action="store_true", help="keep the results that are there")
    parser.add_argument("--write", action="store_true", help="write the table to benchmarks/RESULTS.md")
    given = parser.parse_args()
    rows = []
    for entry in entries(given.scale, filter(None, given.only.split(","))):
        path = model_file(entry.name, entry.fmt, entry.scale)
        result = entry.kept(path) if given.resume else None
        result = result or run_one(path, entry.result)
        rows.append(row(entry, result))
        print(_line(rows[-1]), flush=True)
    print("\n" + table(rows))
    if given.write:
        TABLE.write_text(f"# Benchmark\n\n`make bench` wrote this table.\n\n{table(rows)}", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Healthy networks drawn at random, diagnosed: none of them may be called sick.

``python -m benchmarks.healthy [--only table,text ...] [--count N] [--budget-s 30] [--resume] [--write]``: ``N``
networks of each family of `tests.zoo.drawn`.  A false alarm is a bad verdict, or an error that is not refuted.
Everything is kept under ``benchmarks/results/healthy``; ``--write`` writes the table to HEALTHY.md.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analyzers.options import Options
from analyzers.report import BAD_VERDICTS, Report, Verdict
from benchmarks.forking import forked
from benchmarks.one import measure
from benchmarks.running import RESULTS, TIMEOUT_S, machine, state
from benchmarks.shares import counted
from tests.zoo.drawn import FAMILIES, drawn

FOLDER: Final = RESULTS / "healthy"
TABLE: Final = Path(__file__).with_name("HEALTHY.md")
BAD: Final[frozenset[Verdict]] = BAD_VERDICTS | {"unstable"}


@dataclass(frozen=True)
class Diagnosed:
    """One network and what was said of it."""

    family: str
    number: int
    report: Report

    @property
    def errors(self) -> list[str]:
        """Rules that called it faulty."""
        return [
            found.rule
            for found in self.report.findings
            if found.severity == "error" and found.status != "refuted"
        ]

    @property
    def alarm(self) -> bool:
        """Whether it was called sick."""
        return self.report.verdict in BAD or bool(self.errors)

    @property
    def words(self) -> str:
        """For a person."""
        errors = f"; {', '.join(self.errors)}" if self.errors else ""
        return f"{self.family} {self.number}: {self.report.verdict} {self.report.confidence:.2f}{errors}"


def diagnosed(family: str, number: int, options: Options, *, resume: bool) -> Diagnosed | str:
    """Draw a network and diagnose it, or keep what is there; what failed, as text."""
    path, kept = FOLDER / f"{family}-{number}.keras", FOLDER / f"{family}-{number}.json"
    if resume and kept.exists():
        result: dict[str, Any] = json.loads(kept.read_text("utf-8"))
        if result["state"] == state(path):
            return Diagnosed(family, number, Report.model_validate(result["report"]))

    def work() -> dict[str, Any]:
        drawn(family, number).save(path)
        return measure(path, options) | {"state": state(path)}

    result = forked(work, kept, TIMEOUT_S)
    if "failure" in result:
        return f"{family} {number}: {result['failure']}"
    return Diagnosed(family, number, Report.model_validate(result["report"]))


def table(done: Sequence[Diagnosed], failed: Sequence[str]) -> str:
    """False alarms and verdicts by family, and every false alarm by name."""
    groups = {family: [one for one in done if one.family == family] for family in FAMILIES} | {"all": done}
    rows = [_row(name, own) for name, own in groups.items() if own]
    lines = ["| family | networks | false alarms | verdicts |", "| --- | --- | --- | --- |", *rows]
    listed = [f"- {one.words}" for one in done if one.alarm] + [f"- FAILED {line}" for line in failed]
    return "\n".join([f"Measured on: {machine()}.", "", *lines, "", *listed]).rstrip() + "\n"


def _row(name: str, own: Sequence[Diagnosed]) -> str:
    verdicts = Counter(one.report.verdict for one in own)
    said = ", ".join(f"{verdict} {count}" for verdict, count in verdicts.most_common())
    return f"| {name} | {len(own)} | {counted(sum(one.alarm for one in own), len(own))} | {said} |"


def main() -> None:
    """Diagnose what is asked for and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="families, separated by commas")
    parser.add_argument("--count", type=int, default=12, help="networks of each family")
    parser.add_argument("--budget-s", type=float, default=30.0, help="seconds of a diagnosis")
    parser.add_argument("--resume", action="store_true", help="keep the results that are there")
    parser.add_argument("--write", action="store_true", help="write the table to benchmarks/HEALTHY.md")
    given = parser.parse_args()
    families: Iterable[str] = given.only.split(",") if given.only else FAMILIES
    done: list[Diagnosed] = []
    failed: list[str] = []
    for number in range(given.count):
        for family in families:
            one = diagnosed(family, number, Options(budget_s=given.budget_s), resume=given.resume)
            if isinstance(one, str):
                failed.append(one)
                print(f"FAILED {one}", flush=True)
            else:
                done.append(one)
                print(f"{one.words}{' FALSE ALARM' if one.alarm else ''}", flush=True)
    print("\n" + table(done, failed))
    if given.write:
        heading = "# Healthy networks drawn at random\n\n`make bench-healthy` wrote this page.\n\n"
        TABLE.write_text(heading + table(done, failed), encoding="utf-8")


if __name__ == "__main__":
    main()

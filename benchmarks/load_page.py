"""The page of the load benchmark, from the results of its runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.running import RESULTS

PAGE: Final = Path(__file__).with_name("LOAD.md")
FOLDER: Final = RESULTS / "load"
MIB: Final = 2**20
_MINUTE_S: Final = 60.0
_REFUSED: Final = "503"
_GOOD: Final = frozenset({"200", "202", _REFUSED})
_INTRODUCTION: Final = """\
# Load

`make bench-load` wrote this page: clients that upload a small model (`stuck-cnn.keras`), wait for its report and
begin again, for as long as each run says, on one machine with the service and its workers. A client that is told
503 because 100 jobs wait comes again after 5 s: such answers are *refused* and nothing is lost by them.

- *accepted*: uploads that became a job; *finished*: those that ended with a report, here or after the clients had
  left; *left over*: those that still waited when the run was ended, and were erased.
- *errors*: every other answer, failed connections and failed jobs.
- *ended twice*: jobs that the service counted as ended more often than there were.
"""


def kept(name: str) -> Path:
    """Where the result of a run lies."""
    return FOLDER / f"{name}.json"


def write(names: Iterable[str]) -> None:
    """Write the page from those runs that have a result."""
    results = [json.loads(kept(name).read_text("utf-8")) for name in names if kept(name).exists()]
    parts = [_INTRODUCTION, _table(_SUMMARY, [_summary(result) for result in results])]
    parts += ["## Seconds from upload to report\n", _table(_LATENCY, _latencies(results))]
    parts += ["## Memory over time\n", "Of the web server, and of everything together (MiB).\n"]
    parts += [_table(("after", *map(_name, results)), _memory(results))]
    parts += [
        "## Memory of each process\n",
        "Resident, MiB: at rest, and at its highest while clients were there.\n",
    ]
    parts += [_table(("process", *map(_name, results)), _processes(results))]
    if results:
        printed = results[-1]
        parts += [
            f"## As printed\n\nAt the end of the run *{_name(printed)}*: `GET /readyz`\n",
            _code(printed["readyz"]),
        ]
        parts += ["and `GET /metrics`, without the figures of single requests:\n", _code(printed["metrics"])]
    PAGE.write_text("\n".join(parts), encoding="utf-8")


_SUMMARY: Final = (
    "service", "machine", "clients", "accepted", "finished", "left over", "refused", "errors", "ended twice"
)  # fmt: skip
_LATENCY: Final = ("service", "jobs", "answered", "p50", "p95", "p99")


def _name(result: Mapping[str, Any]) -> str:
    return f"{result['service']}, {result['probes']:.0%} with a probe"


def _summary(result: Mapping[str, Any]) -> Sequence[str]:
    answers, states = result["answers"], result["states"]
    finished = states.get("succeeded", 0)
    errors = sum(count for code, count in answers.items() if code not in _GOOD) + states.get("failed", 0)
    return (
        _name(result),
        f"{result['machine']}; load before {result['load_before']:.1f}",
        f"{result['clients']}, {result['seconds']:.0f} s",
        str(result["accepted"]),
        str(finished),
        str(states.get("left over", 0)),
        str(answers.get(_REFUSED, 0)),
        str(errors),
        str(result["counted"] - finished - states.get("failed", 0)),
    )


def _latencies(results: Iterable[Mapping[str, Any]]) -> list[Sequence[str]]:
    return [
        (_name(result), kind, str(told["answered"]), *(f"{told[cut]:.2f}" for cut in ("p50", "p95", "p99")))
        for result in results
        for kind, told in result["latency"].items()
    ]


def _memory(results: Sequence[Mapping[str, Any]]) -> list[Sequence[str]]:
    longest = max((result["seconds"] for result in results), default=0)
    rows: list[Sequence[str]] = []
    for minute in range(int(longest // _MINUTE_S) + 1):
        cells = [_near(result["memory"], minute * _MINUTE_S) for result in results]
        rows.append((f"{minute} min", *cells))
    return rows


def _near(memory: Sequence[tuple[float, int, int]], at_s: float) -> str:
    """The sample that is nearest to a time."""
    if not memory:
        return ""
    _, web, together = min(memory, key=lambda sample: abs(sample[0] - at_s))
    return f"{web / MIB:.0f}, {together / MIB:.0f}"


def _processes(results: Sequence[Mapping[str, Any]]) -> list[Sequence[str]]:
    roles = sorted({role for result in results for role in result["highest"]})
    return [(role, *(_span(result, role) for result in results)) for role in roles]


def _span(result: Mapping[str, Any], role: str) -> str:
    if role not in result["highest"]:
        return ""
    rest = f"{result['rest'][role] / MIB:.0f}" if role in result["rest"] else "none"
    return f"{rest}, {result['highest'][role] / MIB:.0f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _code(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())

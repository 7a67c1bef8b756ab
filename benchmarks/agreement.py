"""How often unstuck's verdict on a file agrees with training that file for real.

    python -m benchmarks.agreement [--only tokens,table ...] [--budget-s 30] [--real-only] [--resume] [--write]

The models are those of `tests.zoo.tasks`, healthy and sick, of all kinds of task.  Each is trained on real data
for twenty times the steps of one of the probe's runs (`benchmarks.real_training`), which `benchmarks.reality`
judges; the same file goes through the whole diagnosis, in a process of its own too.  Everything is kept under
``benchmarks/results/agreement``; ``--write`` writes the tables to AGREEMENT.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analyzers.options import Options
from analyzers.report import BAD_VERDICTS, Report, RunVerdict, Verdict
from benchmarks import reality
from benchmarks.forking import forked
from benchmarks.one import measure
from benchmarks.real_training import FOLDER, model_path, trained
from benchmarks.running import TIMEOUT_S, machine, state
from benchmarks.shares import counted
from tests.zoo.tasks import TASK_MODELS
from tests.zoo.tasks.data import DATA
from tests.zoo.tasks.task_model import KINDS, STRENGTHS, TaskModel

TABLE: Final = Path(__file__).with_name("AGREEMENT.md")
SEEDS: Final = 3
"""Seeds of a borderline model, and of one whose first training ends near the line."""

SAME: Final[dict[RunVerdict, frozenset[Verdict]]] = {
    "learnt": frozenset({"converges", "conditional"}),
    "slow": frozenset({"slow"}),
    "unstable": frozenset({"unstable"}),
    "stuck": frozenset({"stuck", "cannot_train"}),
    "diverged": frozenset({"diverges", "cannot_train"}),
}
"""Reality -> the verdicts that say exactly this.  The real data are scaled as the model needs them, so a
verdict with a condition on the scale is right where the model learns."""

GOOD: Final[frozenset[Verdict]] = frozenset({"converges", "conditional", "slow"})
BAD: Final[frozenset[Verdict]] = BAD_VERDICTS | {"unstable"}
VERDICTS: Final[tuple[Verdict, ...]] = (
    "converges", "conditional", "slow", "unstable", "stuck", "diverges", "cannot_train", "inconclusive",
)  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """A model, what became of it, and what was said of it.

    Attributes:
        model: of the zoo.
        outcomes: of its real trainings, one a seed.
        end: place of seed 0's end on the scale of `benchmarks.reality`.
        report: None where the diagnosis was not asked for.
    """

    model: TaskModel
    outcomes: tuple[RunVerdict, ...]
    end: float
    report: Report | None = None

    @property
    def real(self) -> RunVerdict:
        """What real training shows, over all seeds."""
        return reality.settled(self.outcomes)

    @property
    def group(self) -> str:
        """``healthy``, ``not in the file``, or the strength of the fault."""
        fault = self.model.fault
        return "healthy" if fault is None else fault.strength if fault.in_file else "not in the file"

    @property
    def verdict(self) -> Verdict:
        """What the report says."""
        assert self.report is not None
        return self.report.verdict

    @property
    def judged(self) -> bool:
        """Whether there is a verdict that can be right or wrong."""
        return self.report is not None and self.report.verdict != "inconclusive"

    @property
    def exact(self) -> bool:
        """Whether the verdict says exactly what real training shows."""
        return self.verdict in SAME[self.real]

    @property
    def right(self) -> bool:
        """Whether the verdict is on reality's side: it trains, however slowly, or it does not.

        A fault that only the data show is answered by the condition that it names.
        """
        if self.group == "not in the file" and self.verdict == "conditional":
            return True
        return self.verdict in (GOOD if self.real in reality.TRAINS else BAD)


GROUPS: Final = ("healthy", *STRENGTHS, "not in the file")


def compare(model: TaskModel, options: Options | None, *, resume: bool) -> Compared | str:
    """Train and diagnose one model, or keep what is there; what failed, as text.

    Args:
        model: of the zoo.
        options: of the diagnosis; None leaves it out.
        resume: whether earlier results are kept.
    """
    attainable = DATA[model.data].attainable
    results: list[dict[str, Any]] = []
    doubtful = model.fault is not None and model.fault.strength == "borderline"
    while len(results) < (SEEDS if doubtful else 1):
        result = trained(model.name, len(results), resume=resume)
        if "failure" in result:
            return f"{model.name}: {result['failure']}"
        results.append(result)
        doubtful = doubtful or reality.close(result, attainable)
    outcomes = tuple(reality.outcome(result, attainable) for result in results)
    end = reality.scaled(results[0], attainable)[-1]
    if options is None:
        return Compared(model, outcomes, end)
    diagnosed = _diagnosed(model, options, resume=resume)
    if "failure" in diagnosed:
        return f"{model.name}: {diagnosed['failure']}"
    return Compared(model, outcomes, end, Report.model_validate(diagnosed["report"]))


def _diagnosed(model: TaskModel, options: Options, *, resume: bool) -> dict[str, Any]:
    path, kept = model_path(model.name), FOLDER / f"{model.name}.report.json"
    if resume and kept.exists():
        result: dict[str, Any] = json.loads(kept.read_text("utf-8"))
        same_file = result["report"]["model"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        if same_file and result["state"] == state(path):
            return result
    said = options.model_copy(update={"input_range": model.input_range})
    return forked(lambda: measure(path, said) | {"state": state(path)}, kept, TIMEOUT_S)


def line(one: Compared) -> str:
    """One model in a line."""
    fault = one.model.fault
    meant = f"{fault.what} ({one.group})" if fault else "healthy"
    said = ""
    if one.report is not None:
        mark = "" if not one.judged or one.exact else ", near" if one.right else ", WRONG"
        said = f"; unstuck: {one.verdict} {one.report.confidence:.2f}{mark}"
    return f"{one.model.name} [{one.model.kind}] {meant}: {'/'.join(one.outcomes)} ({one.end:.2f}){said}"


def confusion(compared: Sequence[Compared]) -> str:
    """Verdicts in rows, reality in columns."""
    counts = Counter((one.verdict, one.real) for one in compared)
    columns = tuple(SAME)
    rows = [
        (verdict, *(str(counts[verdict, real] or "") for real in columns))
        for verdict in VERDICTS
        if any(counts[verdict, real] for real in columns)
    ]
    return _table(("unstuck says", *columns), rows)


def shares(
    compared: Sequence[Compared], heading: str, group: Callable[[Compared], str], order: Sequence[str]
) -> str:
    """How often a verdict was given, was on the right side and was exactly right, for each group."""
    rows = [
        _shares(name, [one for one in compared if group(one) == name])
        for name in order
        if any(group(one) == name for one in compared)
    ]
    columns = (heading, "models", "given a verdict", "on the right side", "exactly right")
    return _table(columns, [*rows, _shares("all", compared)])


def _shares(name: str, compared: Sequence[Compared]) -> tuple[str, ...]:
    judged = [one for one in compared if one.judged]
    right, exact = sum(one.right for one in judged), sum(one.exact for one in judged)
    return (
        name,
        str(len(compared)),
        str(len(judged)),
        counted(right, len(judged)),
        counted(exact, len(judged)),
    )


def calibration(compared: Sequence[Compared]) -> str:
    """Stated confidence against the share that was right."""
    judged = [(one.report.confidence, one) for one in compared if one.report is not None and one.judged]
    rows = []
    for stated in sorted({confidence for confidence, _ in judged}, reverse=True):
        those = [one for confidence, one in judged if confidence == stated]
        right, exact = sum(one.right for one in those), sum(one.exact for one in those)
        rows.append((f"{stated:.2f}", counted(right, len(those)), counted(exact, len(those))))
    return _table(("confidence", "on the right side", "exactly right"), rows)


def alarms(compared: Sequence[Compared]) -> tuple[list[Compared], list[Compared]]:
    """Models that train in reality, and those of them with a bad verdict."""
    train = [one for one in compared if one.judged and one.real in reality.TRAINS]
    return train, [one for one in train if one.verdict in BAD]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def report(compared: Sequence[Compared]) -> str:
    """Everything that is published, as Markdown."""
    train, false = alarms(compared)
    healthy = [one for one in train if one.model.fault is None]
    wrong = [one for one in compared if one.judged and not one.right]
    parts = [
        f"{len(compared)} models, {sum(one.model.fault is None for one in compared)} of them meant to be healthy, "
        f"on {machine()}.",
        "## Verdict against reality",
        confusion(compared),
        "## By kind of task",
        shares(compared, "kind", lambda one: one.model.kind, KINDS),
        "## By strength of the fault",
        shares(compared, "fault", lambda one: one.group, GROUPS),
        "## False alarms",
        f"Of the models that train in reality, called bad: {counted(len(false), len(train))}; of those meant to be "
        f"healthy: {counted(sum(one in false for one in healthy), len(healthy))}.",
        "## Confidence",
        calibration(compared),
        "## On the wrong side",
        "\n".join(f"- {line(one)}" for one in wrong) or "None.",
        "## Every model",
        "\n".join(f"- {line(one)}" for one in compared),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def reality_report(compared: Sequence[Compared]) -> str:
    """What became of the models, without verdicts."""
    columns = ("fault", *SAME)
    counts = Counter((one.group, one.real) for one in compared)
    return _table(columns, [(group, *(str(counts[group, real] or "") for real in SAME)) for group in GROUPS])


def chosen(only: str) -> Iterator[TaskModel]:
    """Models whose name or kind starts with one of these words, separated by commas; all for none."""
    words = tuple(filter(None, only.split(",")))
    for model in TASK_MODELS.values():
        if not words or model.name.startswith(words) or model.kind.startswith(words):
            yield model


def main() -> None:
    """Train, diagnose, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="starts of names or kinds, separated by commas")
    parser.add_argument("--budget-s", type=float, default=30.0, help="budget of each diagnosis")
    parser.add_argument("--real-only", action="store_true", help="train, and leave the diagnosis out")
    parser.add_argument("--resume", action="store_true", help="keep the results that are there")
    parser.add_argument("--write", action="store_true", help="write the tables to benchmarks/AGREEMENT.md")
    given = parser.parse_args()
    options = None if given.real_only else Options(budget_s=given.budget_s)
    compared: list[Compared] = []
    for model in chosen(given.only):
        found = compare(model, options, resume=given.resume)
        print(found if isinstance(found, str) else line(found), flush=True)
        if not isinstance(found, str):
            compared.append(found)
    text = reality_report(compared) if given.real_only else report(compared)
    print("\n" + text)
    if given.write and not given.real_only:
        TABLE.write_text(
            f"# Verdict and reality\n\n`make bench-agreement` wrote this page.\n\n{text}", "utf-8"
        )


if __name__ == "__main__":
    main()

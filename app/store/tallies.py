"""Figures that only grow, counted in the transaction that makes them true: each job counts once.

They live in the database, so they survive restarts and are the same from whichever process they are
read.  `FIGURES` is the table of what there is; ``/metrics`` shows all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from analyzers.report import Report
from app.store.database import Database
from app.store.tables import Tally

_INSERTS: Final[dict[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


class Figure(NamedTuple):
    """What a figure is: the name of its label, and its sentence."""

    label: str
    help: str


FIGURES: Final[dict[str, Figure]] = {
    "jobs_ended": Figure(
        "outcome", "Jobs that ended, by `succeeded` or the code of their error; seconds they ran."
    ),
    "workers_lost": Figure("cause", "Times that a running job lost its worker or its child."),
    "child_exits": Figure(
        "cause",
        "Children that ended, by cause: `finished`, `unusable-file`, `fault`, `timeout`, `out-of-memory`, `signal`, "
        "`misbehaved`, `killed`, `cancelled`, `stopped`.",
    ),
    "verdicts": Figure("verdict", "Reports, by verdict."),
    "findings": Figure("rule", "Findings that were not refuted, by rule."),
    "stage_seconds": Figure("stage", "Stages that reports went through; seconds that they took."),
}


class Addition(NamedTuple):
    """Something to count, with what was measured."""

    name: str
    label: str
    amount: float = 0.0
    times: int = 1


def of_end(outcome: str, seconds: float) -> list[Addition]:
    """What the end of a job adds."""
    return [Addition("jobs_ended", outcome, seconds)]


def of_loss() -> list[Addition]:
    """What losing a worker adds."""
    return [Addition("workers_lost", "any")]


def of_exits(causes: Mapping[str, int]) -> list[Addition]:
    """What children that ended add."""
    return [Addition("child_exits", cause, times=times) for cause, times in causes.items()]


def of_report(report: Report) -> list[Addition]:
    """What a report adds."""
    rules = sorted({finding.rule for finding in report.findings if finding.status != "refuted"})
    stages = report.timings.model_dump()
    return [
        Addition("verdicts", report.verdict),
        *(Addition("findings", rule) for rule in rules),
        *(
            Addition("stage_seconds", name.removesuffix("_s"), seconds)
            for name, seconds in stages.items()
            if seconds  # a report without training has no probe
        ),
    ]


def add(session: Session, additions: Iterable[Addition]) -> None:
    """Count, in the caller's transaction; in one order, so that two transactions never wait for each other."""
    insert = _INSERTS[session.get_bind().dialect.name]
    for name, label, amount, times in sorted(additions):
        new = insert(Tally).values(name=name, label=label[:64], count=times, total=amount)
        session.execute(
            new.on_conflict_do_update(
                index_elements=[Tally.name, Tally.label],
                set_={"count": Tally.count + times, "total": Tally.total + amount},
            )
        )


def read(database: Database) -> Sequence[Tally]:
    """Every figure."""
    with database.read() as session:
        return session.scalars(select(Tally).order_by(Tally.name, Tally.label)).all()

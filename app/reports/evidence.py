"""A finding's evidence as people read it: single figures, and tables with a row a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from analyzers.report import FindingReport
from app.reports import clean, words

ITEMS: Final = 8
"""Items of a list inside a value that are written out; the rest is counted."""
ROWS: Final = 60
"""Rows of a table that are shown; the JSON has them all."""


@dataclass(frozen=True)
class Table:
    """Evidence that has a row a layer.  ``columns`` are in the order in which they first occur."""

    label: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    hidden: int


def figures(finding: FindingReport) -> list[tuple[str, str]]:
    """The single figures and texts, as label and value."""
    return [(label(key), value(item)) for key, item in finding.evidence.items() if not _is_table(item)]


def advice(finding: FindingReport) -> str:
    """What to do about it: nothing where the suspicion was refuted."""
    return "" if finding.status == "refuted" else finding.fix


def tables(finding: FindingReport) -> list[Table]:
    """The tables; the first column, which has no title of its own, is the layer's name."""
    return [_table(key, item) for key, item in finding.evidence.items() if _is_table(item)]


def _is_table(item: object) -> bool:
    return isinstance(item, dict) and bool(item) and all(isinstance(row, dict) for row in item.values())


def _table(key: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    columns = tuple(dict.fromkeys(column for row in rows.values() for column in row))
    shown = list(rows.items())[:ROWS]
    return Table(
        label=label(key),
        columns=tuple(label(column) for column in columns),
        rows=tuple(
            (clean.name(name), *(value(row.get(column)) for column in columns)) for name, row in shown
        ),
        hidden=len(rows) - len(shown),
    )


def label(key: str) -> str:
    """``first_layer_gradient`` as a person reads it."""
    return clean.name(key).replace("_", " ").strip().capitalize()


def value(item: Any) -> str:
    """One value on one line: numbers rounded, lists written out, long ones cut."""
    if isinstance(item, bool):
        return "yes" if item else "no"
    if item is None or isinstance(item, int | float):
        return words.number(item)
    if isinstance(item, dict):
        parts = [f"{clean.name(str(key))}: {value(part)}" for key, part in item.items()]
    elif isinstance(item, list | tuple):
        parts = [value(part) for part in item]
    else:
        return clean.prose(str(item), 400)
    more = [f"and {len(parts) - ITEMS} more"] if len(parts) > ITEMS else []
    return ", ".join(parts[:ITEMS] + more) or "-"

"""The report as plain text for a terminal: no colours, no control characters, 88 columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from analyzers.report import FindingReport, Fix, Performance, Report, Tried
from app.reports import clean, evidence, pictures, words

WIDTH: Final = 88
SPARK_WIDTH: Final = 40

MARKS: Final = {"good": "ok", "warn": "!", "bad": "x", "neutral": "?"}
"""A verdict's mark where there is no colour."""


def render(report: Report) -> str:
    """The whole report."""
    lines = [
        *_verdict(report),
        *_curves(report),
        *(line for finding in report.findings for line in _finding(finding, report.ignored)),
        *(_fix(report.fix, words.score(report).label) if report.fix else []),
        *_trainability(report),
        *_rest(report),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _wrapped(text: str, indent: int = 0, first: str | None = None) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        clean.prose(text),
        WIDTH,
        initial_indent=margin if first is None else first,
        subsequent_indent=margin,
        break_on_hyphens=False,
    )


def _heading(title: str) -> list[str]:
    return ["", title, "-" * len(title)]


def _verdict(report: Report) -> list[str]:
    word = words.VERDICTS[report.verdict]
    lines = [
        f"[{MARKS[word.tone]}] {word.label.upper()}  {clean.name(report.model.name)}",
        *_wrapped(report.summary),
        *_wrapped(words.confidence(report)),
    ]
    for condition in report.conditions:
        lines += _wrapped(f"On condition: {condition}")
    if report.incomplete:
        lines += _wrapped(f"This report is incomplete: {words.incomplete(report)}")
    return lines


def _curves(report: Report) -> list[str]:
    picture = pictures.loss_picture(report)
    if picture is None:
        return []
    main = [curve for curve in picture.curves if curve.main]
    low = min(0.0, *picture.values)
    high = min(max(picture.values), 2 * picture.chance) if picture.chance > 0 else max(picture.values)
    lines = _heading(f"Loss over {picture.steps} steps (chance is {words.number(picture.chance)})")
    for curve in main:
        ends = [value for value in curve.loss if value is not None]
        spark = pictures.sparkline(curve.loss, SPARK_WIDTH, low, high)
        last = words.number(ends[-1] if curve.loss[-1] is not None else None) if ends else "-"
        lines.append(
            f"  {curve.role:<9}{spark}  {words.number(ends[0]) if ends else '-'} to {last}  {curve.verdict}"
        )
    return lines


def _finding(finding: FindingReport, ignored: Sequence[str]) -> list[str]:
    """A finding; of a note that was not confirmed what it says, not the figures behind it."""
    state = "ignored" if finding.rule in ignored else words.STATUSES[finding.status].label.lower()
    severity = words.SEVERITIES[finding.severity].label
    lines = [
        "",
        f"{severity.upper()} ({state}, {words.percent(finding.confidence)})  {clean.name(finding.rule)}",
        *_wrapped(finding.title, 2),
        *_wrapped(finding.explanation, 2),
    ]
    if finding.severity != "info" or finding.status == "confirmed":
        lines += _behind(finding)
    advice = evidence.advice(finding)
    return [*lines, *(_wrapped(advice, 10, "  to do:  ") if advice else [])]


def _behind(finding: FindingReport) -> list[str]:
    """The layers and figures that a finding rests on."""
    lines: list[str] = []
    if finding.layers:
        shown = [clean.name(layer, 60) for layer in finding.layers[: evidence.ITEMS]]
        more = len(finding.layers) - len(shown)
        lines += _wrapped(", ".join(shown) + (f" and {more} more" if more else ""), 10, "  layers: ")
    for label, value in evidence.figures(finding):
        lines += _wrapped(f"{label}: {value}", 6, "    - ")
    for one in evidence.tables(finding):
        lines += ["", *(f"    {line}" for line in _columns([(one.label, *one.columns), *one.rows]))]
    return lines


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table: its first column to the left, the others to the right, as wide as they need."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]


def _performances(fix: Fix, score: str) -> list[str]:
    named: list[tuple[str, Performance | Tried]] = [
        ("before", fix.before),
        ("after", fix.after),
        *((f"tried {clean.name(' + '.join(tried.interventions), 40)}", tried) for tried in fix.tried),
    ]
    rows = [
        (name, words.number(one.loss), words.percent(one.accuracy), words.RUN_VERDICTS[one.verdict].label)
        for name, one in named
    ]
    return _columns([("", "loss", score.lower(), "result"), *rows])


def _fix(fix: Fix, score: str) -> list[str]:
    lines = [
        *_heading("Fix, verified" if fix.verified else "Fix, not verified"),
        *(line for change in fix.changes for line in _wrapped(change.summary, 4, "  - ")),
        *_wrapped(words.proof(fix), 2),
        "",
        *(f"  {line}" for line in _performances(fix, score)),
    ]
    if fix.not_needed:
        lines += ["", *_wrapped("Not needed: " + "; ".join(fix.not_needed), 4, "  ")]
    if fix.diff:
        lines += ["", *("  " + line for line in clean.code(fix.diff).splitlines())]
    return lines


def _trainability(report: Report) -> list[str]:
    picture = pictures.trainability_picture(report)
    if picture is None:
        return []
    return [
        *_heading(picture.TITLE),
        *_wrapped(picture.CAPTION),
        "",
        *(f"  {line}" for line in _columns(picture.table)),
    ]


def _listed(title: str, lines: Iterable[str]) -> list[str]:
    shown = [part for line in lines for part in _wrapped(line, 4, "  - ")]
    return [*_heading(title), *shown] if shown else []


def _rest(report: Report) -> list[str]:
    counts = Counter(check.outcome for check in report.checks)
    unsettled = [
        f"{check.rule}: {words.OUTCOMES[check.outcome].label}. {check.reason or ''}"
        for check in report.checks
        if check.outcome in ("error", "skipped")
    ]
    summary = ", ".join(
        f"{word.label} {counts[outcome]}" for outcome, word in words.OUTCOMES.items() if counts[outcome]
    )
    return [
        *_listed("Assumed", report.assumptions),
        *_listed("Reduced to fit the budget", report.probe.reductions if report.probe else []),
        *_listed("Not settled", unsettled),
        "",
        f"{words.plural(len(report.checks), 'rule')}: {summary}.",
        f"unstuck {clean.name(report.engine.unstuck)}, {words.seconds(report.timings.total_s)}.",
    ]

"""The report as GitHub-flavoured Markdown, for a pull request's comment or a job's summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from analyzers.report import FindingReport, Fix, Report
from app.reports import clean, evidence, pictures, words

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$]|^[-=])")
_AUTOMATIC: Final = re.compile(r"@(?=\w)|#(?=\d)|:(?=//)|www(?=\.)")
"""Where GitHub makes a mention, a reference or a link out of plain text."""
_SEPARATOR: Final = "<!-- -->"
_BARE_PIPE: Final = re.compile(r"(?<!\\)\|")
_ESCAPED_PIPE: Final = r"\\|"


def prose(text: str) -> str:
    """A paragraph in which nothing is markup: no HTML, link, mention, emphasis or table cell."""
    return _inert(clean.prose(text))


def _inert(text: str) -> str:
    pieces = re.split(f"({_AUTOMATIC.pattern})", text)
    return "".join(_escaped(piece) + (_SEPARATOR if index % 2 else "") for index, piece in enumerate(pieces))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: f"&#{ord(match[1])};" if match[1] in "<>&$" else f"\\{match[1]}", text)


def reference(text: str) -> str:
    """A reference in which https addresses are links."""
    pieces = words.ADDRESS.split(clean.prose(text))
    return "".join(f"<{piece}>" if index % 2 else _inert(piece) for index, piece in enumerate(pieces))


def inline(text: str) -> str:
    """A name as a code span, whatever backticks it holds."""
    shown = clean.name(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(text: str, language: str) -> str:
    """A fenced code block that its content cannot leave."""
    shown = clean.code(text)
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    return f"{fence}{language}\n{shown.rstrip()}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown already, but for pipes in code spans."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(_BARE_PIPE.sub(_ESCAPED_PIPE, cell) for cell in cells)} |" for cells in lines
    )


def render(report: Report) -> str:
    """The whole report."""
    parts = [
        *_verdict(report),
        *_findings(report),
        *(_fix(report.fix, words.score(report).label) if report.fix else []),
        *_trainability(report),
        *_probe(report),
        *_checks(report),
        *_model(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _verdict(report: Report) -> list[str]:
    word = words.VERDICTS[report.verdict]
    incomplete = f"**This report is incomplete:** {words.incomplete(report)}" if report.incomplete else ""
    return [
        f"# {word.label}: {inline(report.model.name)}",
        prose(report.summary),
        f"{words.confidence(report)} {word.meaning}".strip(),
        incomplete,
        "**On these conditions:**\n\n" + _bullets(map(prose, report.conditions)) if report.conditions else "",
    ]


def _findings(report: Report) -> list[str]:
    if not report.findings:
        return ["## Findings", "Nothing was found."]
    return [
        "## Findings",
        *(part for finding in report.findings for part in _finding(finding, report.ignored)),
    ]


def _finding(finding: FindingReport, ignored: Sequence[str]) -> list[str]:
    state = "Ignored" if finding.rule in ignored else words.STATUSES[finding.status].label
    severity = words.SEVERITIES[finding.severity].label
    figures = [(prose(label), prose(value)) for label, value in evidence.figures(finding)]
    tables = [
        table(
            tuple(map(prose, (one.label, *one.columns))),
            [(inline(row[0]), *map(prose, row[1:])) for row in one.rows],
        )
        for one in evidence.tables(finding)
    ]
    layers = ", ".join(inline(layer) for layer in finding.layers[: evidence.ITEMS])
    more = len(finding.layers) - evidence.ITEMS
    advice = evidence.advice(finding)
    return [
        f"### {prose(finding.title)}",
        f"{state} · {severity} · confidence {words.percent(finding.confidence)} · {inline(finding.rule)}",
        prose(finding.explanation),
        f"**What to do:** {prose(advice)}" if advice else "",
        f"Layers: {layers}{f' and {more} more' if more > 0 else ''}" if layers else "",
        table(("Evidence", "Value"), figures) if figures else "",
        *tables,
        "References: " + "; ".join(map(reference, finding.references)) if finding.references else "",
    ]


def _fix(fix: Fix, score: str) -> list[str]:
    return [
        "## Fix",
        f"**{prose(fix.summary)}**",
        f"{'Verified' if fix.verified else 'Not verified'}. {words.proof(fix)}",
        table(
            ("", "Loss", score, "Verdict"),
            [
                (label, words.number(one.loss), words.percent(one.accuracy), words.RUN_VERDICTS[one.verdict].label)
                for label, one in (("Before", fix.before), ("After", fix.after))
            ],
        ),
        _bullets(prose(change.summary) for change in fix.changes),
        block(fix.diff, "diff") if fix.diff else "",
        f"<details><summary>The repaired program</summary>\n\n{block(fix.code, 'python')}\n\n</details>" if fix.code else "",
        "Not needed: " + "; ".join(map(prose, fix.not_needed)) if fix.not_needed else "",
        table(
            ("Tried", "Loss", score, "Verdict"),
            [
                (
                    " + ".join(inline(one) for one in tried.interventions),
                    words.number(tried.loss),
                    words.percent(tried.accuracy),
                    words.RUN_VERDICTS[tried.verdict].label,
                )
                for tried in fix.tried
            ],
        )
        if fix.tried
        else "",
    ]  # fmt: skip


def _trainability(report: Report) -> list[str]:
    picture = pictures.trainability_picture(report)
    if picture is None:
        return []
    head, *rows = (tuple(map(prose, row)) for row in picture.table)
    return [f"## {picture.TITLE}", picture.CAPTION, table(head, rows)]


def _probe(report: Report) -> list[str]:
    if report.probe is None:
        return []
    score = words.score(report)
    rows = [
        (
            prose(run.label),
            words.number(run.final_loss),
            words.percent(run.final_accuracy),
            words.RUN_VERDICTS[run.verdict].label,
        )
        for run in report.probe.runs
    ]
    return [
        "## Probe",
        f"Task: {prose(report.probe.task)}. The best constant guess has loss {words.number(report.probe.chance_loss)}.",
        table(("Run", "Loss", score.label, "Verdict"), rows),
        f"{score.label}: {score.meaning}.",
        "Reduced to fit the budget:\n\n" + _bullets(map(prose, report.probe.reductions)) if report.probe.reductions else "",
    ]  # fmt: skip


def _checks(report: Report) -> list[str]:
    rows = [
        (inline(check.rule), words.OUTCOMES[check.outcome].label, prose(check.reason or ""))
        for check in report.checks
    ]
    return ["## Checks", table(("Rule", "Outcome", "Reason"), rows)]


def _model(report: Report) -> list[str]:
    model = report.model
    rows = [
        ("Format", prose(model.format)),
        ("Layers", f"{model.layers:,}"),
        ("Parameters", f"{model.parameters:,} ({model.trainable_parameters:,} trainable)"),
        ("Loss", inline(model.loss) if model.loss else "-"),
        ("Optimizer", inline(model.optimizer) if model.optimizer else "-"),
        ("Learning rate", words.exact(model.learning_rate)),
        ("SHA-256", inline(model.sha256)),
    ]
    return [
        "## Model",
        table(("", ""), rows),
        "Assumed:\n\n" + _bullets(map(prose, report.assumptions)) if report.assumptions else "",
        f"Diagnosed by unstuck {prose(report.engine.unstuck)} in {words.seconds(report.timings.total_s)}.",
    ]

"""The report as JUnit XML: one test case a rule, and one for the verdict.

JUnit knows no warnings.  As linters do, a rule's warning is a failure of ``type="warning"`` and an error
one of ``type="error"``; which of them breaks a build is decided by the command's exit code, not here.
A note passes; what could not be applied, was skipped or is ignored is skipped; a check that broke is an
error.  So nothing that was not checked reads as healthy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from analyzers.report import Check, FindingReport, Report, level
from app.reports import clean, evidence, words

_FAILURE_TYPES: Final = {"fail": "error", "warn": "warning"}


def render(report: Report) -> str:
    """One suite in one document."""
    cases = [_verdict_case(report), *(_rule_case(check, report) for check in report.checks)]
    suite = ET.Element(
        "testsuite",
        {
            "name": f"unstuck {clean.name(report.model.name)}",
            "tests": str(len(cases)),
            "failures": str(sum(case.find("failure") is not None for case in cases)),
            "errors": str(sum(case.find("error") is not None for case in cases)),
            "skipped": str(sum(case.find("skipped") is not None for case in cases)),
            "time": f"{report.timings.total_s:.3f}",
            "timestamp": clean.name(report.created_at),
        },
    )
    suite.extend(cases)
    root = ET.Element("testsuites", {"name": "unstuck"})
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(name: str, seconds: float = 0.0) -> ET.Element:
    return ET.Element(
        "testcase", {"classname": "unstuck", "name": clean.name(name), "time": f"{seconds:.3f}"}
    )


def _add(case: ET.Element, tag: str, message: str, *, kind: str = "", details: str = "") -> None:
    attributes = {"message": clean.prose(message)} | ({"type": kind} if kind else {})
    ET.SubElement(case, tag, attributes).text = details or None


def _verdict_case(report: Report) -> ET.Element:
    case = _case("verdict", report.timings.total_s)
    label = words.VERDICTS[report.verdict].label
    details = "\n".join(clean.prose(line) for line in (report.summary, *report.conditions))
    kind = level(report)
    if kind == "fine":
        ET.SubElement(case, "system-out").text = f"{label}. {details}"
    else:
        _add(case, "failure", f"{label}. {report.summary}", kind=kind, details=details)
    return case


def _rule_case(check: Check, report: Report) -> ET.Element:
    case = _case(check.rule)
    findings = [finding for finding in report.findings if finding.rule == check.rule]
    if check.rule in report.ignored:
        _add(case, "skipped", "Ignored by the options of this diagnosis.")
    elif check.outcome in _FAILURE_TYPES:
        title = findings[0].title if findings else check.reason or words.OUTCOMES[check.outcome].label
        _add(case, "failure", title, kind=_FAILURE_TYPES[check.outcome], details=_details(findings))
    elif check.outcome == "error":
        _add(case, "error", check.reason or "The check failed to run.", kind="check-failed")
    elif check.outcome in ("not_applicable", "skipped"):
        _add(case, "skipped", check.reason or words.OUTCOMES[check.outcome].label)
    elif findings:
        ET.SubElement(case, "system-out").text = _details(findings)
    return case


def _details(findings: Sequence[FindingReport]) -> str:
    lines: list[str] = []
    for finding in findings:
        lines += [
            f"{words.STATUSES[finding.status].label}: {clean.prose(finding.title)}",
            clean.prose(finding.explanation),
            f"Layers: {', '.join(clean.name(layer) for layer in finding.layers) or '-'}",
            *(f"{evidence.label(key)}: {evidence.value(item)}" for key, item in finding.evidence.items()),
        ]
        advice = evidence.advice(finding)
        lines += [f"To do: {clean.prose(advice)}"] if advice else []
    return "\n".join(lines)

"""Compare a report with what a model of the zoo expects."""

from __future__ import annotations

from analyzers.report import Report, level
from tests.zoo.cases.case import Expectation

TOP = 3


def mismatches(report: Report, expectation: Expectation) -> list[str]:
    """What the report says otherwise than expected, a sentence each; nothing when it is right."""
    found = []
    if report.verdict not in expectation.verdicts:
        found.append(f"verdict {report.verdict}, expected {_either(expectation.verdicts)}")
    top = {finding.rule for finding in report.findings if finding.status != "refuted"}
    first = {finding.rule for finding in report.findings[:TOP]}
    if expectation.top and not expectation.top & first & top:
        found.append(f"first findings {sorted(first)}, expected {_either(expectation.top)}")
    missing = expectation.named - {finding.rule for finding in report.findings}
    if missing:
        found.append(f"not named: {', '.join(sorted(missing))}")
    if not expectation.level_error and level(report) == "error":
        errors = [f.rule for f in report.findings if f.severity == "error" and f.status == "confirmed"]
        found.append(f"false alarm: verdict {report.verdict}, confirmed errors {errors}")
    if expectation.interventions:
        found += _fix_mismatches(report, expectation)
    return found


def _fix_mismatches(report: Report, expectation: Expectation) -> list[str]:
    if report.fix is None:
        return ["no fix"]
    if not report.fix.verified:
        return [f"fix not verified: {report.fix.proof.cured} of {len(report.fix.proof.seeds)} seeds cured"]
    used = {change.intervention for change in report.fix.changes}
    if not used & expectation.interventions:
        return [f"fix {sorted(used)}, expected {_either(expectation.interventions)}"]
    return []


def _either(names: frozenset[str]) -> str:
    return " or ".join(sorted(names))

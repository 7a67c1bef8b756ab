"""The report as SARIF 2.1.0, for code scanning.

A model is no source file: a result's physical location is the model file, its logical locations are the
layers.  A refuted finding is a result of ``kind: pass``; an ignored one is suppressed.  The verdict is a
result of its own, so that a stuck model without a known cause does not read as clean.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from analyzers.registry import RULES
from analyzers.report import Check, FindingReport, Level, Report, Severity, level
from app.reports import clean, evidence, words

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
VERDICT_RULE: Final = "verdict"
VERDICT_TITLE: Final = "The verdict of the whole diagnosis"

_LEVELS: Final[Mapping[Severity, str]] = {"error": "error", "warning": "warning", "info": "note"}
_VERDICT_LEVELS: Final[Mapping[Level, str]] = {"error": "error", "warning": "warning", "fine": "none"}
_UNFINISHED: Final[Mapping[str, str]] = {"error": "error", "skipped": "warning"}


def render(report: Report) -> str:
    """A log with one run."""
    rule_ids = list(dict.fromkeys([VERDICT_RULE, *(finding.rule for finding in report.findings)]))
    run = {
        "tool": {
            "driver": {
                "name": "unstuck",
                "version": clean.name(report.engine.unstuck),
                "rules": [_descriptor(rule_id, report.findings) for rule_id in rule_ids],
            }
        },
        "automationDetails": {"id": "unstuck/"},
        "invocations": [
            {
                "executionSuccessful": all(check.outcome != "error" for check in report.checks),
                "toolExecutionNotifications": _notifications(report.checks),
            }
        ],
        "artifacts": [
            {
                "location": _artifact(report),
                "length": report.model.size_bytes,
                "hashes": {"sha-256": clean.name(report.model.sha256)},
            }
        ],
        "results": [
            _verdict_result(report),
            *(_result(finding, report, rule_ids.index(finding.rule)) for finding in report.findings),
        ],
        "properties": {
            "verdict": report.verdict,
            "confidence": report.confidence,
            "level": level(report),
            "incomplete": report.incomplete,
            "conditions": [clean.prose(condition) for condition in report.conditions],
        },
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(clean.plain_json(log), indent=2, allow_nan=False) + "\n"


def _descriptor(rule_id: str, findings: Sequence[FindingReport]) -> dict[str, Any]:
    """A rule with its documentation; a rule that this version no longer has is told by its finding."""
    if rule_id == VERDICT_RULE:
        return {"id": rule_id, "shortDescription": {"text": VERDICT_TITLE}}
    rule = RULES.get(rule_id)
    if rule is None:
        title = next(finding.title for finding in findings if finding.rule == rule_id)
        return {"id": clean.name(rule_id), "shortDescription": {"text": clean.prose(title)}}
    help_text = inspect.getdoc(type(rule)) or rule.title
    return {
        "id": rule_id,
        "shortDescription": {"text": rule.title},
        "help": {"text": help_text, "markdown": help_text},
        "properties": {"tags": [rule.group]},
    }


def _artifact(report: Report) -> dict[str, Any]:
    return {"uri": quote(clean.name(report.model.name) or "model", safe="")}


def _location(report: Report, layer: str | None) -> dict[str, Any]:
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": _artifact(report) | {"index": 0}}}
    if layer is not None:
        shown = clean.name(layer)
        location["logicalLocations"] = [
            {"name": shown.rsplit("/", 1)[-1], "fullyQualifiedName": shown, "kind": "layer"}
        ]
    return location


def _verdict_result(report: Report) -> dict[str, Any]:
    outcome = _VERDICT_LEVELS[level(report)]
    label = words.VERDICTS[report.verdict].label
    return {
        "ruleId": VERDICT_RULE,
        "ruleIndex": 0,
        "kind": "pass" if outcome == "none" else "fail",
        "level": outcome,
        "message": {"text": f"{label}. {clean.prose(report.summary)}"},
        "locations": [_location(report, None)],
        "partialFingerprints": {"unstuck/v1": _fingerprint(report, VERDICT_RULE, ())},
    }


def _result(finding: FindingReport, report: Report, index: int) -> dict[str, Any]:
    refuted = finding.status == "refuted"
    advice = evidence.advice(finding)
    text = " ".join(
        f"{clean.prose(part).rstrip('.')}." for part in (finding.title, finding.explanation) if part
    )
    result: dict[str, Any] = {
        "ruleId": clean.name(finding.rule),
        "ruleIndex": index,
        "kind": "pass" if refuted else "fail",
        "level": "none" if refuted else _LEVELS[finding.severity],
        "message": {"text": f"{text} To do: {clean.prose(advice)}" if advice else text},
        "locations": [_location(report, layer) for layer in finding.layers] or [_location(report, None)],
        "partialFingerprints": {"unstuck/v1": _fingerprint(report, finding.rule, finding.layers)},
        "properties": {
            "status": finding.status,
            "confidence": finding.confidence,
            "evidence": {clean.name(key): evidence.value(item) for key, item in finding.evidence.items()},
        },
    }
    if finding.rule in report.ignored:
        result["suppressions"] = [
            {"kind": "external", "justification": "Ignored by the options of this diagnosis."}
        ]
    return result


def _fingerprint(report: Report, rule: str, layers: Sequence[str]) -> str:
    """The same for the same rule at the same layers of a model of the same name, whatever its weights."""
    parts = json.dumps([report.model.name, rule, list(layers)])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def _notifications(checks: Sequence[Check]) -> list[dict[str, Any]]:
    return [
        {
            "level": _UNFINISHED[check.outcome],
            "message": {"text": clean.prose(check.reason or words.OUTCOMES[check.outcome].label)},
            "associatedRule": {"id": clean.name(check.rule)},
        }
        for check in checks
        if check.outcome in _UNFINISHED
    ]

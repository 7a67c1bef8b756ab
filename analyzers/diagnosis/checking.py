"""Runs the rules: each gets only the facts that it declared; one that raises ends as ``error``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from analyzers.errors import InputError
from analyzers.options import Options
from analyzers.probe.evidence import ProbeEvidence
from analyzers.registry import RULES
from analyzers.report import Check, OutcomeName, Severity
from analyzers.rule import Fact, Facts, Finding, NotApplicable, Rule
from analyzers.spec import ModelSpec
from analyzers.spec.graph import Graph

log = structlog.get_logger()

_OUTCOME: Final[Mapping[Severity, OutcomeName]] = {"error": "fail", "warning": "warn", "info": "info"}
_WORST: Final[Sequence[OutcomeName]] = ("fail", "warn", "info", "pass")

_MISSING: Final[Mapping[Fact, str]] = {
    "training": "the file has no compile settings; save the model after compile(), or send loss and optimizer",
    "weights": "the file holds no weights",
    "optimizer_state": "the file holds no optimizer state; save the model after training, with its optimizer",
    "probe": "the model was not trained",
}


@dataclass
class RuleResults:
    """What the rules found.

    Attributes:
        findings: in the order of the registry; not weighed yet.
        checks: the outcome of each rule that ran or could not.
    """

    findings: list[Finding] = field(default_factory=list)
    checks: dict[str, Check] = field(default_factory=dict)


def run_rules(
    spec: ModelSpec,
    options: Options,
    evidence: ProbeEvidence | None = None,
    *,
    probe_reason: str | None = None,
    only: frozenset[str] | None = None,
    graph: Graph | None = None,
) -> RuleResults:
    """Run the rules of the registry on what is there.

    Args:
        spec: the model.
        options: the sender's word.
        evidence: the probe's, or None.
        probe_reason: why there is none.
        only: ids of the rules to run; None for all.
        graph: of ``spec``, where it is made already.
    """
    there, graph = facts_of(spec, evidence), graph or Graph(spec)
    results = RuleResults()
    for rule in RULES.values():
        if only is None or rule.id in only:
            findings, check = _run_rule(
                rule, spec, graph, options, evidence, there=there, probe_reason=probe_reason
            )
            results.findings += findings
            results.checks[rule.id] = check
    return results


def facts_of(spec: ModelSpec, evidence: ProbeEvidence | None) -> frozenset[Fact]:
    """The facts beside the graph that a model and its probe give."""
    there: dict[Fact, bool] = {
        "training": spec.training is not None,
        "weights": bool(spec.weights.tensors),
        "optimizer_state": bool(spec.weights.slots),
        "probe": evidence is not None and bool(evidence.runs),
    }
    return frozenset(fact for fact, is_there in there.items() if is_there)


def _run_rule(
    rule: Rule,
    spec: ModelSpec,
    graph: Graph,
    options: Options,
    evidence: ProbeEvidence | None,
    *,
    there: frozenset[Fact],
    probe_reason: str | None,
) -> tuple[list[Finding], Check]:
    for fact in sorted(rule.requires - there):
        reason = (
            probe_reason
            if fact == "probe"
            else spec.weights.slot_problem
            if fact == "optimizer_state"
            else None
        )
        return [], Check(rule=rule.id, outcome="not_applicable", reason=reason or _MISSING[fact])
    declared = there & (rule.requires | rule.optional)
    facts = Facts(spec, graph, options, declared, evidence if "probe" in rule.requires else None)
    try:
        measurement = rule.measure(facts)
        if isinstance(measurement, NotApplicable):
            return [], Check(rule=rule.id, outcome="not_applicable", reason=measurement.reason)
        findings = list(rule.judge(measurement))
    except InputError:
        raise
    except Exception as error:
        log.exception("rule failed", rule=rule.id)
        return [], Check(rule=rule.id, outcome="error", reason=f"internal error: {type(error).__name__}")
    return findings, Check(rule=rule.id, outcome=outcome(findings))


def outcome(findings: Sequence[Finding]) -> OutcomeName:
    """The outcome of a rule from its findings; refuted ones count as passed."""
    found = {_OUTCOME[finding.severity] for finding in findings if finding.status != "refuted"}
    return next((name for name in _WORST if name in found), "pass")

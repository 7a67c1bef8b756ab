"""Weighs findings: confirmed, refuted or still suspected, by what the probe and the search showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from analyzers.diagnosis.attempts import Attempt, SearchResult, failing_run
from analyzers.diagnosis.quantities import moved
from analyzers.interventions.registry import INTERVENTIONS
from analyzers.probe.evidence import ProbeEvidence, Run
from analyzers.registry import RULES
from analyzers.report import Severity
from analyzers.rule import Finding

ONE_STEP_LOWER: Final[dict[Severity, Severity]] = {"error": "warning", "warning": "info", "info": "info"}
"""Severity of a finding that is only suspected."""

CONFIRMED_CONFIDENCE: Final = 0.9
"""Until confidence is calibrated it is never above this without a static proof (PROBE.md)."""

REFUTED_CONFIDENCE: Final = 0.85

SCALING: Final = frozenset({"rescale-inputs", "standardize-inputs"})
NOT_ABOUT_LEARNING: Final = frozenset({"train_inference_gap"})
"""Quantities on which a model's learning in training mode says nothing."""

STARTS_FAIL: Final = frozenset({"stuck", "diverged", "unstable"})
"""Verdicts of a random start from which a model that learnt from another did not."""

_FAILED: Final = frozenset({"stuck", "diverged"})
"""Verdicts of runs that prove that an intervention does not cure; a run on its way down proves nothing."""

_ORDER: Final = {"confirmed": 0, "suspected": 1, "refuted": 2}
_SEVERITY: Final = {"error": 0, "warning": 1, "info": 2}
_CAUSES_FIRST: Final = {"probe": 1}
"""Groups whose findings are symptoms come behind causes of the same weight."""


def weigh(
    findings: Sequence[Finding], evidence: ProbeEvidence | None, search: SearchResult | None
) -> tuple[Finding, ...]:
    """Give every finding its status, severity and confidence, and order them.

    A certain finding is confirmed as it stands, and one that the real run recorded where no probe was run.
    Another is confirmed when one of its specific interventions cured alone, or belongs to the smallest cure,
    *and* a quantity that the intervention names moved as predicted; refuted when its specific interventions
    were run and did not cure, or when the model learnt although it has the trait, unless it is one that stands
    despite that; else it stays suspected, a step less severe.
    """
    weighed = [_weigh(finding, evidence, search) for finding in findings]
    return tuple(sorted(weighed, key=_importance))


def _weigh(finding: Finding, evidence: ProbeEvidence | None, search: SearchResult | None) -> Finding:
    if finding.certain:
        return replace(finding, status="confirmed")
    status = "suspected"
    if evidence is not None and evidence.runs:
        status = _status(finding, evidence, search)
    elif finding.recorded:
        status = "confirmed"
    if status == "confirmed":
        return replace(finding, status="confirmed", confidence=max(finding.confidence, CONFIRMED_CONFIDENCE))
    if status == "refuted":
        return replace(finding, status="refuted", confidence=REFUTED_CONFIDENCE)
    confidence = min(finding.confidence, CONFIRMED_CONFIDENCE)
    return replace(finding, severity=ONE_STEP_LOWER[finding.severity], confidence=confidence)


def _status(finding: Finding, evidence: ProbeEvidence, search: SearchResult | None) -> str:
    specific = RULES[finding.rule].specific
    about = {
        quantity for name in specific if name in INTERVENTIONS for quantity in INTERVENTIONS[name]().moves
    }
    if not about or about <= NOT_ABOUT_LEARNING:
        return "suspected"
    if specific & SCALING:
        by_scale = _by_scale(evidence)
        if by_scale is not None:
            return by_scale
    elif _always_learns(evidence) and not finding.despite_learning:
        return "refuted"
    attempts = [] if search is None else search.attempts
    tried = [a for a in attempts if len(a.ids) == 1 and a.ids[0] in specific]
    in_fix = [] if search is None or search.fix is None else [search.fix]
    decisive = [*tried, *(a for a in in_fix if set(a.ids) & specific)]
    failing = failing_run(evidence)
    if any(a.cured and _as_predicted(a, specific, failing) for a in decisive):
        return "confirmed"
    failed = tried and all(a.run.verdict in _FAILED for a in decisive)
    return "refuted" if failed and not finding.despite_learning else "suspected"


def _always_learns(evidence: ProbeEvidence) -> bool:
    """Whether the model learnt as it is, from every random start that was tried."""
    decision = evidence.decision
    starts = [run for run in evidence.alike(decision) if run.input_scale == decision.input_scale]
    return decision.verdict == "learnt" and not any(run.verdict in STARTS_FAIL for run in starts)


def _as_predicted(attempt: Attempt, specific: frozenset[str], failing: Run) -> bool:
    return any(
        moved(quantity, failing, attempt.run)
        for one in attempt.interventions
        if one.id in specific
        for quantity in one.moves
    )


def _by_scale(evidence: ProbeEvidence) -> str | None:
    """What the runs on different input scales say of a finding about the input's scale.

    None where only one scale was run.
    """
    seed = evidence.decision.seed
    runs = {run.input_scale: run for run in reversed(evidence.comparable) if run.seed == seed}
    if len(runs) < 2:
        return None
    natural = evidence.decision.verdict == "learnt"
    others = [run.verdict for scale, run in runs.items() if scale != evidence.decision.input_scale]
    if not natural:
        return None if "learnt" in others else "refuted"
    if "slow" in others:
        return "suspected"
    return "refuted" if set(others) == {"learnt"} else "confirmed"


def _importance(finding: Finding) -> tuple[int, int, int, float]:
    group = RULES[finding.rule].group
    info = finding.severity == "info"
    return (
        _ORDER[finding.status] + (2 if info else 0),
        _SEVERITY[finding.severity],
        _CAUSES_FIRST.get(group, 0),
        -finding.confidence,
    )

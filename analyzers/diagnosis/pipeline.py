"""The diagnosis of a spec, from the rules to the verified fix."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from analyzers.building import Unbuildable
from analyzers.building.repaired import EVERY_LAYER, save
from analyzers.diagnosis.attempts import Attempt, SearchResult
from analyzers.diagnosis.checking import RuleResults, run_rules
from analyzers.diagnosis.composing import Diagnosis, compose
from analyzers.diagnosis.fixing import fix_report
from analyzers.diagnosis.recorded import recorded
from analyzers.diagnosis.search import Search
from analyzers.diagnosis.static import READ_ONLY, static_report, weights_only
from analyzers.diagnosis.verdict import broken, judge, settled
from analyzers.diagnosis.weighing import weigh
from analyzers.options import Options
from analyzers.probe.compiled import device_name
from analyzers.probe.evidence import ProbeEvidence
from analyzers.probe.feeds import NotProbedError
from analyzers.probe.session import ProbeSession
from analyzers.probe.watch import OutOfTimeError
from analyzers.progress import Progress, ProgressCallback
from analyzers.registry import RULES
from analyzers.report import Fix, Report, Timings
from analyzers.spec import ModelSpec

log = structlog.get_logger()


def diagnose_spec(
    spec: ModelSpec,
    options: Options,
    *,
    report_id: str,
    progress: ProgressCallback,
    repaired: Path | None,
    memory_bytes: int,
    reading_s: float,
) -> Report:
    """Rules, probe, search, weighing, report.

    Args:
        spec: the model, with the sender's overrides.
        options: the sender's word.
        report_id: id of the report.
        progress: told about every stage.
        repaired: where to write the repaired model; None to write none.
        memory_bytes: memory that training may take.
        reading_s: seconds that reading took.

    Raises:
        InputError: ``model-too-large``.
    """
    started = time.monotonic()
    plainly = partial(static_report, spec, options, report_id=report_id, reading_s=reading_s)
    progress(Progress("rules", 0.05, "checking the rules"))
    static = run_rules(spec, options, only=frozenset(RULES) - _PROBE_RULES)
    if (reason := _why_not_probed(spec, options, static)) is not None:
        return plainly(reason=reason)
    ruled = time.monotonic()
    try:
        session = ProbeSession(
            spec, options, budget_s=options.budget_s, memory_bytes=memory_bytes, progress=progress,
            broken=broken(static.findings), recorded=recorded(spec),
        )  # fmt: skip
        built = time.monotonic()
        first = session.evidence()
    except OutOfTimeError:
        return plainly(reason="the time ran out before the control model had learnt")
    except (NotProbedError, Unbuildable) as error:
        return plainly(reason=str(error))
    measured = run_rules(spec, options, first, only=_PROBE_RULES)
    search = _search(session, first, _together(measured, static))
    evidence = _explained(session, first, search)
    everything = _with_proof(evidence, search)
    if everything is not first:
        measured = run_rules(spec, options, everything, only=_PROBE_RULES)
    found = _together(measured, static)
    findings = weigh(found.findings, everything, search)
    progress(Progress("reporting", 0.99, "writing the report"))
    fix = _fix(session.spec, evidence, search, report_id=report_id, repaired=repaired, seed=options.seed)
    ended = time.monotonic()
    timings = Timings(
        reading_s=round(reading_s, 3), rules_s=round(ruled - started, 3), build_s=round(built - ruled, 3),
        probe_s=round(ended - built, 3), total_s=round(reading_s + ended - started, 3),
    )  # fmt: skip
    judgement = judge(findings, everything)
    diagnosis = Diagnosis(
        spec, options, findings, found, judgement, evidence, search, fix, device_name(), timings,
        session.assumptions,
    )  # fmt: skip
    return compose(diagnosis, report_id)


_PROBE_RULES = frozenset(rule.id for rule in RULES.values() if "probe" in rule.requires)


def _why_not_probed(spec: ModelSpec, options: Options, static: RuleResults) -> str | None:
    """Why the model is not trained at all, for a person; None where it is."""
    if options.probe == "off":
        return READ_ONLY
    if settled(static.findings):
        return "a static finding settles the verdict"
    return weights_only(spec)


def _search(session: ProbeSession, evidence: ProbeEvidence, found: RuleResults) -> SearchResult | None:
    """Look for a fix where the model did not learn and the control did."""
    if evidence.control.verdict != "learnt" or not evidence.runs or evidence.cut:
        return None
    if judge(found.findings, evidence).verdict == "converges":
        return None
    return Search(session, evidence, found.findings).find()


def _explained(session: ProbeSession, evidence: ProbeEvidence, search: SearchResult | None) -> ProbeEvidence:
    """The evidence with what tells a failure from bad luck, and kinds of failure apart, where there was time."""
    if search is None or search.cut:
        return evidence
    return session.failure_explained(
        evidence if search.proof is not None else session.another_start(evidence)
    )


def _together(measured: RuleResults, static: RuleResults) -> RuleResults:
    """What the probe's rules and the others found."""
    return RuleResults([*measured.findings, *static.findings], {**static.checks, **measured.checks})


def _with_proof(evidence: ProbeEvidence, search: SearchResult | None) -> ProbeEvidence:
    """The evidence with what the proof showed of the original: more random starts of the same model."""
    if search is None or search.proof is None:
        return evidence
    return replace(evidence, runs=(*evidence.runs, *search.proof.original))


def _fix(
    spec: ModelSpec,
    evidence: ProbeEvidence,
    search: SearchResult | None,
    *,
    report_id: str,
    repaired: Path | None,
    seed: int,
) -> Fix | None:
    """The fix as reported, its model written where it is wanted; None where none was found."""
    if search is None or search.fix is None:
        return None
    if repaired is None:
        return fix_report(spec, evidence, search, None)
    _write_repaired(search.fix, evidence, repaired, seed)
    return fix_report(spec, evidence, search, f"/v1/diagnoses/{report_id}/repaired-model")


def _write_repaired(fix: Attempt, evidence: ProbeEvidence, path: Path, seed: int) -> None:
    """Write the repaired model: the file's weights where the cure was shown on them, else fresh ones."""
    trained_anew = fix.run.weights == "fresh" and any(run.weights == "saved" for run in evidence.runs)
    fresh = frozenset({EVERY_LAYER}) if trained_anew else fix.fresh
    save(fix.spec, path, fresh=fresh, seed=seed)

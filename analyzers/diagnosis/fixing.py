"""The fix as the report shows it: changes, program, proof."""

from __future__ import annotations

from collections.abc import Sequence

from analyzers.building.code import COMPILE, diff, program
from analyzers.diagnosis.assembly import plain, rounded
from analyzers.diagnosis.attempts import Attempt, SearchResult, failing_run
from analyzers.probe.evidence import ProbeEvidence, Run
from analyzers.report import Change, Fix, Performance, Proof, Tried
from analyzers.spec import ModelSpec


def fix_report(
    spec: ModelSpec, evidence: ProbeEvidence, search: SearchResult, repaired_model: str | None
) -> Fix | None:
    """The fix with its proof and its program; None where nothing made the model learn."""
    if search.fix is None:
        return None
    fix, proof = search.fix, search.proof
    changed = frozenset(name for one in fix.applied for name in one.layers)
    settings = frozenset({COMPILE}) if any(one.settings for one in fix.applied) else frozenset[str]()
    code = program(fix.spec, marked=changed | settings)
    return Fix(
        summary=" ".join(one.summary for one in fix.applied),
        verified=proof is not None and proof.verified,
        changes=[
            Change(
                intervention=intervention.id,
                layers=list(applied.layers),
                summary=applied.summary,
                settings={key: plain(value) for key, value in applied.settings.items()},
            )
            for intervention, applied in zip(fix.interventions, fix.applied, strict=True)
        ],
        code=code,
        diff=diff(program(spec), program(fix.spec)),
        before=_performance(failing_run(evidence)),
        after=_performance(fix.run),
        repaired_model=repaired_model,
        not_needed=_not_needed(search.attempts, fix),
        tried=[_tried(attempt) for attempt in search.attempts],
        proof=Proof(
            seeds=list(proof.seeds) if proof is not None else [],
            cured=proof.cured if proof is not None else 0,
            original_failed=proof.original_failed if proof is not None else 0,
        ),
    )


def _performance(run: Run) -> Performance:
    return Performance(
        loss=rounded(run.end.training_loss), accuracy=rounded(run.end.accuracy), verdict=run.verdict
    )


def _tried(attempt: Attempt) -> Tried:
    done = _performance(attempt.run)
    return Tried(
        interventions=list(attempt.ids), verdict=done.verdict, loss=done.loss, accuracy=done.accuracy
    )


def _not_needed(attempts: Sequence[Attempt], fix: Attempt) -> list[str]:
    """Interventions that were tried and are not part of the fix."""
    tried = dict.fromkeys(name for attempt in attempts for name in attempt.ids)
    return [name for name in tried if name not in fix.ids]

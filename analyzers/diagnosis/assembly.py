"""Puts a report together out of plain values; nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from analyzers.diagnosis.attempts import ON_RATE, SearchResult
from analyzers.diagnosis.verdict import WORSE
from analyzers.probe.evidence import ProbeEvidence, Run
from analyzers.report import (
    FindingReport,
    ProbeReport,
    RunReport,
    RunVerdict,
    Signal,
    finite,
)
from analyzers.rule import Finding

DIGITS: Final = 5
"""Significant digits of series in the report: more say nothing and double its size."""


def rounded(value: float | None) -> float | None:
    """A finite number to `DIGITS` significant digits, else None."""
    number = finite(value)
    return None if number is None else float(f"{number:.{DIGITS}g}")


def finding_report(finding: Finding) -> FindingReport:
    """A finding as the report shows it."""
    return FindingReport(
        rule=finding.rule,
        severity=finding.severity,
        status=finding.status,
        confidence=round(finding.confidence, 3),
        title=finding.title,
        layers=list(finding.layers),
        evidence={key: plain(value) for key, value in finding.evidence.items()},
        explanation=finding.explanation,
        fix=finding.fix,
        references=list(finding.references),
    )


def plain(value: Any) -> Any:
    """``value`` with numbers that JSON cannot hold as None."""
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def probe_report(evidence: ProbeEvidence, search: SearchResult | None) -> ProbeReport:
    """Every run of the probe: the model as it is, what was tried, the proof, the control."""
    runs: list[Run] = list(evidence.runs)
    if search is not None:
        runs += [attempt.run for attempt in search.attempts]
        if search.proof is not None:
            pairs = zip(search.proof.original, search.proof.fixed, strict=True)
            runs += [run for pair in pairs for run in pair]
    runs.append(evidence.control)
    return ProbeReport(
        task=evidence.task,
        chance_loss=evidence.chance_loss,
        runs=[run_report(run) for run in runs],
        reductions=list(evidence.reductions),
        classes=evidence.classes_used or None,
        batch_size=evidence.batch_size,
        control_accuracy=rounded(evidence.control.end.accuracy),
    )


def run_report(run: Run) -> RunReport:
    """One run as the report shows it."""
    return RunReport(
        label=run.label,
        interventions=list(run.interventions),
        input_scale=run.input_scale,
        weights=run.weights,
        seed=run.seed,
        verdict=run.verdict,
        loss=_series(run.loss),
        accuracy=_series(run.accuracy),
        gradient_norms={path: _series(series) for path, series in run.gradient_norms.items()},
        learning_rate=rounded(run.learning_rate),
        final_loss=rounded(run.end.training_loss),
        final_accuracy=rounded(run.end.accuracy),
    )


def _series(values: Iterable[float]) -> list[float | None]:
    return [rounded(value) for value in values]


def signals(evidence: ProbeEvidence) -> list[Signal]:
    """What the deciding run measured at every layer at its start; dead units at its end."""
    run = evidence.decision
    paths = dict.fromkeys((*run.start.activation_rms, *run.gradient_norms))
    return [
        Signal(
            layer=path,
            activation_rms=rounded(run.start.activation_rms.get(path)),
            gradient_norm=rounded(next(iter(run.gradient_norms.get(path, ())), None)),
            update_ratio=rounded(next(iter(run.update_ratios.get(path, ())), None)),
            dead_fraction=rounded(run.end.dead_fraction.get(path)),
        )
        for path in paths
    ]


def trainability(evidence: ProbeEvidence, search: SearchResult | None) -> dict[str, Any] | None:
    """Where the unchanged design learns: what became of it at each learning rate on each input scale.

    Rows are rates, columns scales; a cell is the worst verdict of the runs made there, null where there was
    none.  None where all runs were at one rate and on one scale.
    """
    attempts = search.attempts if search is not None else []
    made = [*evidence.runs, *(attempt.run for attempt in attempts if set(attempt.ids) <= ON_RATE)]
    runs = [run for run in made if run.weights == evidence.decision.weights and not run.warmed]
    cells: dict[tuple[float, str], RunVerdict] = {}
    for run in runs:
        key = run.learning_rate, run.input_scale
        cells[key] = max(cells.get(key, run.verdict), run.verdict, key=WORSE.index)
    rates = sorted({rate for rate, _ in cells})
    scales = list(dict.fromkeys(scale for _, scale in cells))
    if len(cells) < 2:
        return None
    return {
        "learning_rates": [rounded(rate) for rate in rates],
        "input_scales": scales,
        "verdicts": [[cells.get((rate, scale)) for scale in scales] for rate in rates],
    }

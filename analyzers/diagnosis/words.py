"""The summary: one sentence that a person can act on, with this model's numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from analyzers.diagnosis.attempts import SearchResult
from analyzers.diagnosis.verdict import WARM_UP, Judgement, proof_of_failure, wants_standard_numbers
from analyzers.probe.evidence import ProbeEvidence, Run
from analyzers.probe.scales import IN_WORDS
from analyzers.report import Verdict
from analyzers.rule import Finding
from analyzers.spec import ModelSpec
from analyzers.spec.graph import Graph
from analyzers.spec.model_inputs import model_inputs

CLOSE: Final = 4
"""Significant digits of a loss that is compared with chance: a stuck model's is close to it."""


def summary(
    spec: ModelSpec,
    judgement: Judgement,
    findings: Sequence[Finding],
    evidence: ProbeEvidence | None,
    search: SearchResult | None,
) -> str:
    """What is the matter, and what to do about it."""
    if judgement.verdict == "cannot_train":
        proof = proof_of_failure(findings)
        assert proof is not None  # noqa: S101 - the verdict rests on it
        way_out = (
            _way_out(judgement, findings, search)
            if search is not None and search.fix is not None
            else proof.fix
        )
        return f"This model cannot be trained as it stands: {_lowered(proof.title)}. {way_out}"
    if judgement.verdict == "inconclusive" or evidence is None or not evidence.runs:
        return _inconclusive(judgement, findings)
    cut = evidence.cut or (search is not None and search.cut)
    state = _STATES[judgement.verdict](spec, evidence, judgement)
    return f"{state} {_way_out(judgement, findings, search, cut=cut)}".strip()


def _settings(spec: ModelSpec, run: Run) -> str:
    optimizer = spec.training.optimizer.kind if spec.training and spec.training.optimizer else "Adam"
    return f"{optimizer} at {run.learning_rate:.3g}"


def _chance(evidence: ProbeEvidence) -> str:
    known = (
        f"guessing among {evidence.classes_used} classes"
        if evidence.classes_used
        else "the best constant answer"
    )
    return f"{_loss(evidence.chance_loss, CLOSE)}, that of {known}"


def _loss(value: float, digits: int = 3) -> str:
    """A loss to so many significant digits."""
    return f"{value:.{digits}g}" if math.isfinite(value) else "not a number"


def _steps(count: int) -> str:
    return f"{count} step" if count == 1 else f"{count} steps"


def _on_scales(spec: ModelSpec, evidence: ProbeEvidence) -> str:
    """Which input scales shared the decision's fate; nothing of tokens, which have none."""
    if all(one.kind == "tokens" for one in model_inputs(Graph(spec))):
        return ""
    decision = evidence.decision
    alike = {
        run.input_scale: None for run in evidence.runs
        if run.verdict == decision.verdict and run.seed == decision.seed
        and run.learning_rate == decision.learning_rate and run.weights == decision.weights
    }  # fmt: skip
    return ", on " + " and ".join(IN_WORDS[scale] for scale in alike) + (" alike" if len(alike) > 1 else "")


def _converges(spec: ModelSpec, evidence: ProbeEvidence, _: Judgement) -> str:
    run = evidence.decision
    return (
        f"This model learns: with {_settings(spec, run)} its loss fell from {_loss(run.loss[0])} to "
        f"{_loss(run.end.training_loss)} in {_steps(len(run.loss))}{_on_scales(spec, evidence)}."
    )


def _stuck(spec: ModelSpec, evidence: ProbeEvidence, _: Judgement) -> str:
    run = evidence.decision
    if run.by_output:
        worst, judged = max(run.by_output.items(), key=lambda one: one[1])
        state = (
            f"with {_settings(spec, run)} its output '{worst}' stands at {judged:.0%} of what the best constant "
            f"answer costs, after {_steps(len(run.loss))}"
        )
    else:
        state = (
            f"with {_settings(spec, run)} its loss is {_loss(run.end.training_loss, CLOSE)} after "
            f"{_steps(len(run.loss))} (chance: {_chance(evidence)})"
        )
    return (
        f"This model does not learn: {state}{_on_scales(spec, evidence)}; a plain control model learns the same "
        f"task in {_steps(len(evidence.control.loss))}."
    )


def _diverges(spec: ModelSpec, evidence: ProbeEvidence, _: Judgement) -> str:
    run = evidence.decision
    return (
        f"This model diverges: with {_settings(spec, run)} its loss went from {_loss(run.loss[0])} to "
        f"{_loss(run.loss[-1])} in {_steps(len(run.loss))}{_on_scales(spec, evidence)}."
    )


def _conditional(_spec: ModelSpec, evidence: ProbeEvidence, judgement: Judgement) -> str:
    what = "its learning rate starts" if WARM_UP in judgement.conditions else "its input is scaled"
    if wants_standard_numbers(evidence) is not None:
        what = "the numbers that it is to predict are scaled"
    return " ".join((f"Whether this model learns depends on how {what}.", *judgement.conditions))


def _slow(spec: ModelSpec, evidence: ProbeEvidence, judgement: Judgement) -> str:
    run = evidence.decision
    words = f"This model learns, but slowly with {_settings(spec, run)}."
    if run.extrapolated_steps is not None:
        best, early, late = run.extrapolated_steps
        words += f" Half of the task would take about {best:.0f} steps ({early:.0f} to {late:.0f})."
    return " ".join((words, *judgement.conditions))


def _unstable(spec: ModelSpec, evidence: ProbeEvidence, judgement: Judgement) -> str:
    words = f"Whether this model learns with {_settings(spec, evidence.decision)} is a matter of luck."
    return " ".join((words, *judgement.conditions))


_STATES: Final[dict[Verdict, Callable[[ModelSpec, ProbeEvidence, Judgement], str]]] = {
    "converges": _converges,
    "conditional": _conditional,
    "slow": _slow,
    "unstable": _unstable,
    "stuck": _stuck,
    "diverges": _diverges,
}


_WANTED: Final[dict[Verdict, str]] = {
    "conditional": "learn without that",
    "slow": "learn faster",
    "unstable": "learn every time",
}
"""What a change of the model is looked for to make it do, where that is not just to learn."""


def _way_out(
    judgement: Judgement, findings: Sequence[Finding], search: SearchResult | None, *, cut: bool = False
) -> str:
    if search is not None and search.fix is not None:
        proof = search.proof
        changes = " ".join(one.summary for one in search.fix.applied)
        if proof is None:
            return f"{changes} It learnt then; the time ran out before that was proved."
        words = f"{changes} It then learnt on {proof.cured} of {len(proof.seeds)} unseen seeds."
        if proof.verified or proof.cured < len(proof.seeds):
            return words
        failed = f"{proof.original_failed} of them only" if proof.original_failed else "none of them"
        return f"{words} The unchanged model failed on {failed}, so that this is no proof."
    if judgement.verdict == "converges":
        risks = [f for f in findings if f.severity == "warning" and f.status != "refuted"]
        return f"To watch: {_lowered(risks[0].title)}." if risks else ""
    if search is not None and search.attempts:
        tried = ", ".join(" + ".join(attempt.ids) for attempt in search.attempts)
        how = _WANTED.get(judgement.verdict, "learn")
        return f"None of what was tried{' before the time ran out' if cut else ''} made it {how} ({tried})."
    return "The time ran out before a change was tried." if cut else ""


def _inconclusive(judgement: Judgement, findings: Sequence[Finding]) -> str:
    words = f"Whether this model learns was not shown: {judgement.reason}."
    serious = [f for f in findings if f.status != "refuted" and f.severity != "info"]
    return f"{words} First to look at: {_lowered(serious[0].title)}. {serious[0].fix}" if serious else words


def _lowered(title: str) -> str:
    """A title within a sentence: the first letter small unless the word is a name."""
    first = title.split(" ", 1)[0]
    return title if first != first.capitalize() else title[:1].lower() + title[1:]

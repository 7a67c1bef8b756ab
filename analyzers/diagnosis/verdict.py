"""The verdict: what the runs, or a static proof, say about the model as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analyzers.probe.evidence import ProbeEvidence, Run
from analyzers.probe.judgement import LEARNT
from analyzers.probe.scales import IN_WORDS, UNTOUCHED
from analyzers.report import RunVerdict, Verdict
from analyzers.rule import Finding

CANNOT_TRAIN: Final = frozenset({"non-finite-weights", "single-unit-softmax", "frozen-random-layers"})
"""Rules whose certain error is a proof that no training step can help."""

_UNTRAINABLE: Final = frozenset({"frozen-random-layers"})
"""Those of them that leave nothing to train; of broken weights it can be shown that fresh ones learn."""

AGREEING: Final = 0.9
SINGLE: Final = 0.8
DOUBTFUL: Final = 0.6
CERTAIN: Final = 0.99
"""Confidence of a verdict that two seeds or scales share, that rests on one run, that the runs dispute,
and that is proved statically; not calibrated yet, hence never above 0.9 without a proof (PROBE.md)."""

LUCK: Final = 0.3
"""Share of random starts from which a model must learn before its failures from the others are called a
matter of luck; below it the model is what it is from most starts."""

WARM_UP: Final = (
    "It gets under way only where the learning rate rises to its value over the first steps and gradients are "
    "clipped: warm the rate up, or feed large batches."
)

_OF_RUN: Final[dict[RunVerdict, Verdict]] = {
    "learnt": "converges", "slow": "slow", "stuck": "stuck", "diverged": "diverges", "unstable": "unstable",
}  # fmt: skip


WORSE: Final[tuple[RunVerdict, ...]] = ("learnt", "slow", "unstable", "stuck", "diverged")
"""Verdicts of runs from good to bad."""


@dataclass(frozen=True)
class Judgement:
    """The verdict with its confidence, its conditions and the reason where it is inconclusive."""

    verdict: Verdict
    confidence: float
    conditions: tuple[str, ...] = ()
    reason: str | None = None


def proof_of_failure(findings: Sequence[Finding]) -> Finding | None:
    """A static finding that proves that the model cannot be trained as it stands, or None."""
    return next((f for f in findings if f.certain and f.severity == "error" and f.rule in CANNOT_TRAIN), None)


def settled(findings: Sequence[Finding]) -> bool:
    """Whether such a proof leaves nothing to train: no weight to change, not a wrong output or broken weights."""
    proof = proof_of_failure(findings)
    return proof is not None and proof.rule in _UNTRAINABLE


def broken(findings: Sequence[Finding]) -> bool:
    """Whether the file's weights hold numbers that are not finite."""
    return any(finding.rule == "non-finite-weights" and finding.certain for finding in findings)


def judge(
    findings: Sequence[Finding], evidence: ProbeEvidence | None, reason: str | None = None
) -> Judgement:
    """The verdict.

    Args:
        findings: all of them; only certain ones are read.
        evidence: the probe's, or None with the ``reason`` why there is none.
        reason: for a person.
    """
    if proof_of_failure(findings) is not None:
        return Judgement("cannot_train", CERTAIN)
    if evidence is None:
        return Judgement("inconclusive", DOUBTFUL, reason=reason)
    if evidence.control.verdict != "learnt":
        return Judgement(
            "inconclusive", DOUBTFUL, reason="the control model did not learn the probe's task either"
        )
    if not evidence.runs:
        return Judgement("inconclusive", DOUBTFUL, reason="the time ran out before the first run ended")
    return _from_runs(evidence)


def _from_runs(evidence: ProbeEvidence) -> Judgement:
    decision = evidence.decision
    same = evidence.alike(decision)
    seeds = [run for run in same if run.input_scale == decision.input_scale]
    scales = [run for run in evidence.comparable if run.seed == decision.seed]
    here = [run for run in scales if run.input_scale == decision.input_scale]
    elsewhere = [run for run in scales if run not in here] if here[0].verdict == "learnt" else []
    failed = [run for run in elsewhere if run.verdict not in ("learnt", "slow")]
    slower = [run for run in elsewhere if run.verdict == "slow"]
    learnt = [run for run in seeds if run.verdict == "learnt"]
    if decision.verdict == "learnt":
        if any(run.verdict not in ("learnt", "slow") for run in seeds):
            return Judgement("unstable", DOUBTFUL, (_seeds(len(learnt), len(seeds)),))
        if failed:
            return Judgement(
                "conditional",
                SINGLE,
                _scale_conditions(here[0], failed, anew=here[0].weights != decision.weights),
            )
        notes = tuple(f"On {IN_WORDS[run.input_scale]} it learns more slowly." for run in slower)
        runs = (*same, *scales)
        sure = max(len(same), len(scales)) > 1 and all(run.verdict == "learnt" for run in runs)
        return Judgement("converges", AGREEING if sure else SINGLE, notes)
    if (standard := wants_standard_numbers(evidence)) is not None:
        return Judgement("conditional", SINGLE, (_number_condition(evidence, standard),))
    return _failed(evidence, seeds, scales)


def wants_standard_numbers(evidence: ProbeEvidence) -> Run | None:
    """The fresh run that learnt numbers of mean 0 and deviation 1 where those of the file's own scale are not learnt.

    None where fresh weights do better on that scale than the saved ones: then those are to blame.
    """
    decision = evidence.decision
    fresh = [
        run for run in evidence.runs if run.weights == "fresh" and run.input_scale == decision.input_scale
    ]
    standard = next((run for run in fresh if not run.own_numbers and run.verdict == "learnt"), None)
    own = next((run for run in fresh if run.own_numbers), None)
    if not decision.own_numbers or standard is None or own is None:
        return None
    return standard if WORSE.index(own.verdict) >= WORSE.index(decision.verdict) else None


def _number_condition(evidence: ProbeEvidence, standard: Run) -> str:
    return (
        f"It learns numbers of mean 0 and standard deviation 1, in {len(standard.loss)} steps; numbers on the scale of "
        f"those that it answers now ({evidence.numbers}) it has not learnt after {len(evidence.decision.loss)}: scale "
        "the targets, and scale its answers back."
    )


def _failed(evidence: ProbeEvidence, seeds: Sequence[Run], scales: Sequence[Run]) -> Judgement:
    """The verdict of a model that failed on the scale it is made for.

    Saved weights know one scale of input only, so their failure on another proves nothing; a fresh model
    that fails on sound input is not excused by luck on raw pixels.  Of several random starts the most
    common failure counts; a start in the middle of its way does not where a longer run arrived nowhere.
    """
    decision = evidence.decision
    elsewhere = [run for run in scales if run.verdict == "learnt"]
    if elsewhere and decision.weights == "saved":
        return Judgement("conditional", DOUBTFUL, _scale_conditions(elsewhere[0], [decision]))
    learnt = [run for run in seeds if run.verdict == "learnt"]
    if len(learnt) > LUCK * len(seeds):
        return Judgement("unstable", DOUBTFUL, (_seeds(len(learnt), len(seeds)),))
    if evidence.warmed is not None:
        return Judgement("conditional", DOUBTFUL, (WARM_UP,))
    at_a_higher_rate = _higher_rate(evidence)
    if evidence.merely_slow:
        return Judgement("slow", SINGLE, at_a_higher_rate)
    failures = Counter(
        run.verdict for run in seeds if run.verdict != "learnt" and not _too_short(run, decision)
    )
    failure = max(failures, key=lambda one: (failures[one], one == decision.verdict))
    runs = (*seeds, *scales)  # the decision is in both
    agreeing = [run for run in runs if run.verdict == failure]
    verdict = _OF_RUN[failure]
    everywhere = len(agreeing) == len(runs) > 2
    notes = [f"On {IN_WORDS[run.input_scale]} it learnt, in {len(run.loss)} steps." for run in elsewhere]
    notes += [_seeds(len(learnt), len(seeds))] if learnt else []
    notes += at_a_higher_rate
    notes += _of_outputs(decision)
    return Judgement(verdict, AGREEING if everywhere else SINGLE, tuple(notes))


def _too_short(run: Run, decision: Run) -> bool:
    """Whether a run is slow only because it had fewer steps than the one that decides, which is not."""
    return run.verdict == "slow" and decision.verdict != "slow" and len(run.loss) < len(decision.loss)


def _of_outputs(decision: Run) -> tuple[str, ...]:
    """Which of several outputs failed, where not all did."""
    failed = [name for name, judged in decision.by_output.items() if not judged < LEARNT]
    if not failed or len(failed) == len(decision.by_output):
        return ()
    learnt = [name for name in decision.by_output if name not in failed]
    return (f"Of its outputs {_listed(learnt)} learnt, {_listed(failed)} did not.",)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _higher_rate(evidence: ProbeEvidence) -> tuple[str, ...]:
    if evidence.faster is None:
        return ()
    times = evidence.faster.learning_rate / evidence.decision.learning_rate
    return (f"At {times:.3g} times its learning rate it learns the task.",)


def _scale_conditions(learnt: Run, failed: Sequence[Run], *, anew: bool = False) -> tuple[str, ...]:
    where = ", ".join(IN_WORDS[run.input_scale] for run in failed)
    who = "With fresh weights it" if anew else "It"
    untouched = learnt.input_scale in UNTOUCHED
    what = "feed the data as they are" if untouched else "scale the data so before they are fed"
    return (f"{who} learns on {IN_WORDS[learnt.input_scale]}, not on {where}: {what}.",)


def _seeds(learnt: int, total: int) -> str:
    return f"It learnt from {learnt} of {total} random starts."

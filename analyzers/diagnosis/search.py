"""The search for the smallest change that makes a model learn, and its proof on unseen seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

from analyzers.building import Unbuildable
from analyzers.diagnosis.attempts import (
    NEEDED,
    ON_RATE,
    PROOF_SEEDS,
    Attempt,
    Proof,
    SearchResult,
    by_preference,
    failing_run,
)
from analyzers.diagnosis.verdict import proof_of_failure, wants_standard_numbers
from analyzers.interventions.base import Applied, Intervention
from analyzers.interventions.lower_learning_rate import FACTOR, LowerLearningRate
from analyzers.interventions.raise_learning_rate import RaiseLearningRate
from analyzers.interventions.registry import INTERVENTIONS
from analyzers.interventions.rescale_outputs import RescaleOutputs
from analyzers.probe.evidence import ProbeEvidence, Run
from analyzers.probe.judgement import EARLIEST_SURRENDER
from analyzers.probe.runner import Setting
from analyzers.probe.session import ProbeSession
from analyzers.probe.watch import OutOfTimeError
from analyzers.registry import RULES
from analyzers.report import RunVerdict
from analyzers.rule import Finding
from analyzers.spec import ModelSpec

LEAST_PROOF_STEPS: Final = 24
PROOF_SLACK: Final = 1.5
"""A fixed model may take this multiple of the steps that it needed in the search, and at least that many,
on each seed of its proof."""

QUICK: Final = 0.5
"""Share of a run's steps within which a cure counts as quick and is proved at once; a slower one waits
until the other candidates have shown whether they do better."""

DECADES: Final = 2
"""Further tenths of the rate that are tried where a lower one is still too high."""

PAIRED: Final = 4
"""Changes of which pairs are made: six pairs."""

OPPOSITE: Final = {LowerLearningRate.id, RaiseLearningRate.id}
"""Changes that undo each other."""

SEVERITY_WEIGHT: Final = {"error": 1.0, "warning": 0.6, "info": 0.2}


class Search:
    """Tries interventions on the probe of one model.

    Args:
        session: the probe, its evidence already gathered.
        evidence: the model as it is.
        findings: every suspicion, from rules and from measurements.
    """

    def __init__(self, session: ProbeSession, evidence: ProbeEvidence, findings: Sequence[Finding]) -> None:
        self._session, self._evidence, self._findings = session, evidence, findings
        self._failing = failing_run(evidence)
        slow = self._failing is evidence.decision and evidence.outcome == "slow"
        self._mended: RunVerdict = "slow" if slow else self._failing.verdict
        self._cause = proof_of_failure(findings)
        self._asked_for = (
            specific_interventions([one for one in findings if one.severity == "error"])
            if self._cause is None
            else RULES[self._cause.rule].specific
        )
        self._result = SearchResult()
        self._proofs: dict[tuple[tuple[str, ...], float], Proof] = {}

    def find(self) -> SearchResult:
        """Singles by support, then pairs where none of them cures for good.

        The first quick cure is proved at once, a better one at the end.
        """
        try:
            self._singles()
            self._prove()
            proof = self._result.proof
            if proof is None or proof.cured < len(proof.fixed):
                self._pairs()
                self._prove()
        except OutOfTimeError:
            self._result.cut = True
            self._result.fix = self._result.fix or next(iter(by_preference(self._result.attempts)), None)
        return self._result

    def _singles(self) -> None:
        for candidate in self._candidates():
            best = next(iter(by_preference(self._result.attempts)), None)
            quick = best is not None and self._quick(best)
            if best is not None and not self._can_afford(best):
                break
            if quick and candidate.id not in self._worth_more_runs():
                continue
            attempt = self._attempt((candidate,), extend=best is None)
            if attempt is not None and candidate.id == LowerLearningRate.id:
                attempt = self._lower_still(attempt)
            if attempt is not None and attempt.cured and not quick and self._quick(attempt):
                self._prove()

    def _worth_more_runs(self) -> frozenset[str]:
        """What would settle a cause that is open still, once a cure is found."""
        if self._cause is not None:
            return self._asked_for
        cures = {
            attempt.ids[0] for attempt in self._result.attempts if attempt.cured and len(attempt.ids) == 1
        }
        return specific_interventions([one for one in self._findings if not RULES[one.rule].specific & cures])

    def _candidates(self) -> list[Intervention]:
        """The best supported first; where a cause is proved, what it asks for before anything else."""
        found = candidates(self._findings, self._failing, self._evidence.faster)
        if wants_standard_numbers(self._evidence) is not None:
            found.insert(0, RescaleOutputs(self._session.own_scales))
        return sorted(found, key=lambda one: self._cause is not None and one.id not in self._asked_for)

    def _lower_still(self, attempt: Attempt) -> Attempt:
        """Further tenths of a rate that is still too high: at which the model diverges, or learns and forgets."""
        for _ in range(DECADES):
            if attempt.run.verdict not in ("diverged", "unstable"):
                break
            attempt = self._at_a_tenth(attempt) or attempt
        return attempt

    def _at_a_tenth(self, attempt: Attempt) -> Attempt | None:
        return self._attempt((LowerLearningRate(attempt.run.learning_rate * FACTOR),), extend=False)

    def _quick(self, attempt: Attempt) -> bool:
        return len(attempt.run.loss) <= QUICK * self._session.plan.steps

    def _can_afford(self, best: Attempt) -> bool:
        """Whether the plan has steps for one more run, beside the proof of the best cure if it needs one."""
        steps = self._session.plan.steps
        proof = 0 if _key(best) in self._proofs else NEEDED * (len(best.run.loss) + steps)
        return self._session.watch.remaining_steps >= proof + steps

    def _pairs(self) -> None:
        """The most promising singles, the best of each change, two at a time."""
        singles: dict[tuple[str, ...], Attempt] = {}
        for single in sorted(self._result.attempts, key=lambda a: a.run.normalized_loss):
            singles.setdefault(single.ids, single)
        promising = list(singles.values())[:PAIRED]
        pairs = [pair for pair in combinations(promising, 2) if {*pair[0].ids, *pair[1].ids} != OPPOSITE]
        for one, other in pairs:
            ordered = sorted((*one.interventions, *other.interventions), key=lambda i: i.invasiveness)
            attempt = self._attempt(tuple(ordered))
            if attempt is not None and attempt.cured:
                return

    def _attempt(self, interventions: tuple[Intervention, ...], *, extend: bool = True) -> Attempt | None:
        """Run one set of changes; without ``extend`` it is only asked whether it cures in a run's steps."""
        applied = tuple(apply_all(self._session.spec, interventions))
        if len(applied) != len(interventions):
            return None
        label = " + ".join(one.id for one in interventions)
        fresh = frozenset().union(*(one.fresh for one in applied))
        self._session.watch.begin("fixing", f"training it with {label}")
        keeps_graph = self._keeps_graph(interventions)
        setting = replace(self._setting(label, interventions, applied), extend=extend)
        run = self._made_before(setting) if keeps_graph else None
        try:
            run = run or self._session.attempt(
                applied[-1].spec, label, fresh, keeps_graph=keeps_graph, own_numbers=setting.own_numbers
            )(setting)
        except Unbuildable:
            return None
        attempt = Attempt(interventions, applied, run, {one.id for one in interventions} <= self._asked_for)
        self._result.attempts.append(attempt)
        return attempt

    def _made_before(self, setting: Setting) -> Run | None:
        """The run that learnt at this very rate when the evidence was gathered, if there was one."""
        wanted = (setting.scale, setting.weights, setting.seed, setting.learning_rate, setting.own_numbers)
        for run in self._evidence.runs:
            made = (run.input_scale, run.weights, run.seed, run.learning_rate, run.own_numbers)
            if made == wanted and run.verdict == "learnt":
                return replace(run, label=setting.label, interventions=setting.interventions)
        return None

    @staticmethod
    def _keeps_graph(interventions: Iterable[Intervention]) -> bool:
        return all(one.id in ON_RATE for one in interventions)

    def _setting(
        self, label: str, interventions: Sequence[Intervention], applied: Sequence[Applied]
    ) -> Setting:
        failing = self._failing
        rates = [one.settings["learning_rate"] for one in applied if "learning_rate" in one.settings]
        return Setting(
            label=f"with {label}",
            scale=failing.input_scale,
            weights=failing.weights,
            seed=failing.seed,
            learning_rate=float(rates[-1]) if rates else failing.learning_rate,
            steps=self._session.plan.steps,
            interventions=tuple(one.id for one in interventions),
            lasting=failing.verdict == "unstable" or (self._session.above_all_rates and not rates),
            own_numbers=failing.own_numbers,
        )

    def _prove(self) -> None:
        for attempt in by_preference(self._result.attempts):
            if self._result.fix is None:
                self._result.fix = attempt
            if _key(attempt) not in self._proofs:
                attempt = self._proved(attempt)  # noqa: PLW2901 - at a lower rate
            proof = self._proofs[_key(attempt)]
            if self._result.proof is None or proof.verified:
                self._result.fix, self._result.proof = attempt, proof
            if proof.verified:
                return

    def _proved(self, attempt: Attempt) -> Attempt:
        """An attempt whose proof is kept; a lower rate that luck chose gives way to one that is lower still."""
        proof = self._proofs[_key(attempt)] = self._proof(attempt)
        if attempt.ids == (LowerLearningRate.id,) and proof.cured < len(proof.fixed):
            lower = self._at_a_tenth(attempt)
            if lower is not None and lower.cured:
                self._proofs[_key(lower)] = self._proof(lower)
                return lower
        return attempt

    def _proof(self, attempt: Attempt) -> Proof:
        session, steps, mended = self._session, self._proof_steps(attempt), self._failing
        session.watch.grant(session.proof_grace_s)
        label = " + ".join(attempt.ids)
        run_fixed = session.attempt(
            attempt.spec, label, attempt.fresh, keeps_graph=self._keeps_graph(attempt.interventions),
            own_numbers=mended.own_numbers,
        )  # fmt: skip
        run_original = session.original()
        original: list[Run] = []
        fixed: list[Run] = []
        for number in PROOF_SEEDS:
            session.watch.begin("proving", f"proving {label} on unseen seed {len(fixed) + 1}")
            setting = self._setting(label, attempt.interventions, attempt.applied)
            run = run_fixed(_for_proof(setting, session.seed(number), steps))
            fixed.append(run)
            as_it_is = Setting(
                f"as it is, proof seed {len(fixed)}", mended.input_scale, mended.weights,
                session.seed(number), mended.learning_rate,
                max(len(run.loss), self._least_of_the_original()), extend=False, lasting=self._to_the_end,
                own_numbers=mended.own_numbers,
            )  # fmt: skip
            original.append(run_original(as_it_is))
            proof = Proof(
                tuple(session.seed(n) for n in PROOF_SEEDS[: len(fixed)]), tuple(original), tuple(fixed),
                self._mended,
            )  # fmt: skip
            spare = len(PROOF_SEEDS) - NEEDED
            excused = len(original) - proof.original_failed
            if run.verdict != "learnt" or proof.verified or excused > spare:
                break
        return proof

    @property
    def _to_the_end(self) -> bool:
        """Whether the original has to be seen beyond the step at which it learns."""
        return self._session.above_all_rates or self._mended == "unstable"

    def _least_of_the_original(self) -> int:
        """Steps before the original has failed on a seed of the proof."""
        plan = self._session.plan
        return plan.steps if self._to_the_end else round(EARLIEST_SURRENDER * plan.stretch)

    def _proof_steps(self, attempt: Attempt) -> int:
        """Steps of the fixed model on each seed: a whole run's where there are plenty."""
        plan, spare = self._session.plan, self._session.watch.remaining_steps
        least = plan.steps if spare >= 2 * NEEDED * plan.steps else round(LEAST_PROOF_STEPS * plan.stretch)
        return max(int(PROOF_SLACK * len(attempt.run.loss)), least)


def _key(attempt: Attempt) -> tuple[tuple[str, ...], float]:
    """What tells attempts apart: the changes, and the rate that they end at."""
    return attempt.ids, attempt.run.learning_rate


def _for_proof(setting: Setting, seed: int, steps: int) -> Setting:
    label = f"{setting.label}, unseen seed"
    return replace(setting, label=label, seed=seed, steps=steps, extend=False)


def specific_interventions(findings: Sequence[Finding]) -> frozenset[str]:
    """Interventions whose cure would confirm a finding that is still open."""
    open_rules = [finding.rule for finding in findings if not finding.certain]
    return frozenset().union(*(RULES[rule].specific for rule in open_rules))


def candidates(findings: Sequence[Finding], failing: Run, faster: Run | None = None) -> list[Intervention]:
    """Interventions that the findings suggest, the best supported and least invasive first.

    Support is the sum, over the findings that name the intervention, of severity and confidence, twice
    where it is specific to the finding.  Input scaling is not tried on input that is scaled already, nor a
    lower rate where a run at a higher one, ``faster``, learnt; that one's rate is then the one to raise it to.
    """
    support: dict[str, float] = {}
    for finding in findings:
        rule = RULES[finding.rule]
        for name in rule.interventions:
            weight = SEVERITY_WEIGHT[finding.severity] * finding.confidence
            support[name] = support.get(name, 0.0) + weight * (2 if name in rule.specific else 1)
    known = [name for name in support if _makes_sense(name, failing, faster)]
    made = [
        RaiseLearningRate(faster.learning_rate)
        if faster is not None and name == RaiseLearningRate.id
        else INTERVENTIONS[name]()
        for name in known
    ]
    return sorted(made, key=lambda one: (-round(support[one.id]), one.invasiveness, -support[one.id]))


def _makes_sense(name: str, failing: Run, faster: Run | None) -> bool:
    if name == "lower-learning-rate":
        return faster is None
    if name in ("rescale-inputs", "standardize-inputs"):
        return failing.input_scale != "standardized"
    return name != "reinitialize-dead-layers" or failing.weights == "saved"


def apply_all(spec: ModelSpec, interventions: Iterable[Intervention]) -> Iterator[Applied]:
    """Apply one after another; ends early where one has nothing to change."""
    for intervention in interventions:
        applied = intervention.apply(spec)
        if applied is None:
            return
        yield applied
        spec = applied.spec

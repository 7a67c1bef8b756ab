"""What the search for a fix ran and found, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from analyzers.interventions.base import Applied, Intervention
from analyzers.probe.evidence import ProbeEvidence, Run
from analyzers.report import RunVerdict
from analyzers.spec import ModelSpec

ON_RATE: Final = frozenset({"lower-learning-rate", "raise-learning-rate"})
"""Interventions that keep the compiled graph."""

PROOF_SEEDS: Final = (100, 101, 102, 103, 104)
"""Numbers of the seeds of the proof; the search uses small ones only."""

NEEDED: Final = 3
"""Proof seeds on which the original must fail and the fixed model learn.  A model that fails from most
random starts, not from all, is given `PROOF_SEEDS` to do so; the fix must learn on every one tried."""

FRAGILE: Final = 3.0
"""Multiple of the quickest cure's steps beyond which another cure counts as fragile."""


@dataclass(frozen=True)
class Attempt:
    """One set of interventions that was run.

    Attributes:
        interventions, applied: the changes, in the order of application.
        run: what became of it.
        backed: an error that was found asks for just this.
    """

    interventions: tuple[Intervention, ...]
    applied: tuple[Applied, ...]
    run: Run
    backed: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the interventions, in the order of application."""
        return tuple(one.id for one in self.interventions)

    @property
    def spec(self) -> ModelSpec:
        """The changed model."""
        return self.applied[-1].spec

    @property
    def fresh(self) -> frozenset[str]:
        """Layers whose saved weights were thrown away."""
        return frozenset().union(*(one.fresh for one in self.applied))

    @property
    def cured(self) -> bool:
        """Whether the changed model learnt."""
        return self.run.verdict == "learnt"


@dataclass(frozen=True)
class Proof:
    """Runs of the original and of the fixed model on seeds that the search never used.

    Attributes:
        seeds: the seeds, one run of each model a seed.
        original, fixed: the runs.
        mended: verdict of the run that the fix is to mend.
    """

    seeds: tuple[int, ...]
    original: tuple[Run, ...]
    fixed: tuple[Run, ...]
    mended: RunVerdict = "stuck"

    @property
    def cured(self) -> int:
        """Seeds on which the fixed model learnt."""
        return sum(run.verdict == "learnt" for run in self.fixed)

    @property
    def original_failed(self) -> int:
        """Seeds on which the original failed.

        Being on its way down is a failure of a model that is slow, and after `FRAGILE` times the steps in which
        the fixed model learnt from the same seed.
        """
        return sum(map(self._failed, self.original, self.fixed))

    def _failed(self, original: Run, fixed: Run) -> bool:
        if original.verdict == "slow":
            late = fixed.verdict == "learnt" and len(original.loss) > FRAGILE * len(fixed.loss)
            return late or self.mended == "slow"
        return original.verdict != "learnt"

    @property
    def verified(self) -> bool:
        """The fixed model learnt on every seed, and the original failed on enough of them."""
        return self.original_failed >= NEEDED and self.cured == len(self.seeds)


@dataclass
class SearchResult:
    """What the search found.

    Attributes:
        attempts: everything that was run, in order.
        fix: the smallest cure, or None.
        proof: its proof; None where time ran out before it.
        cut: the hard deadline ended the search.
    """

    attempts: list[Attempt] = field(default_factory=list)
    fix: Attempt | None = None
    proof: Proof | None = None
    cut: bool = False


def by_preference(attempts: Sequence[Attempt]) -> list[Attempt]:
    """The cures, the one to prefer first.

    Fewer changes before more; then robust before fragile: a cure that needs more than `FRAGILE` times
    the steps of the quickest one may fail where the task is harder, unless it is a rate that an error asks
    to lower, which takes more steps by its nature; then what an error asks for before what cures by other
    ways; then the less invasive.
    """
    cures = [attempt for attempt in attempts if attempt.cured]
    quickest = min((len(attempt.run.loss) for attempt in cures), default=0)

    def key(attempt: Attempt) -> tuple[int, bool, bool, int, int]:
        steps = len(attempt.run.loss)
        invasiveness = sum(one.invasiveness for one in attempt.interventions)
        slower = attempt.backed and set(attempt.ids) <= ON_RATE
        fragile = steps > FRAGILE * quickest and not slower
        return len(attempt.interventions), fragile, not attempt.backed, invasiveness, steps

    return sorted(cures, key=key)


def failing_run(evidence: ProbeEvidence) -> Run:
    """The run that a fix must mend.

    The deciding one where it failed; the design's own where saved weights failed and fresh ones too
    (no state of an unsound design is worth saving); else the input scale or seed that failed.
    """
    decision = evidence.decision
    if decision.verdict == "learnt":
        return next((run for run in evidence.runs if run.verdict != "learnt"), decision)
    fresh = [run for run in evidence.runs if run.weights == "fresh" and run.verdict != "learnt"]
    return fresh[0] if fresh else decision

"""Attempts, findings and searches made by hand, on the chain of Dense layers of the probe rules' tests."""

from __future__ import annotations

from typing import Any

from analyzers.diagnosis.attempts import NEEDED, PROOF_SEEDS, Attempt, Proof, SearchResult
from analyzers.interventions.base import Applied
from analyzers.interventions.registry import INTERVENTIONS
from analyzers.probe.evidence import Run
from analyzers.registry import RULES
from analyzers.report import Severity
from analyzers.rule import Finding
from analyzers.spec import ObjectSpec, TrainingSpec
from tests.rules.probe.factory import chain, learnt, run

SUMMARIES = {
    "lower-learning-rate": "Lower the learning rate from 0.3 to 0.03.",
    "add-batch-normalization": "Add BatchNormalization after the 4 layers.",
    "he-initialization": "Initialise the 4 layers with he_normal.",
}


def training(**changes: Any) -> TrainingSpec:
    """Adam at 0.3."""
    given: dict[str, Any] = {
        "losses": (ObjectSpec("CategoricalCrossentropy"),), "loss_weights": None,
        "optimizer": ObjectSpec("Adam"), "learning_rate": 0.3,
    }  # fmt: skip
    return TrainingSpec(**{**given, **changes})


def attempt(*names: str, made: Run | None = None) -> Attempt:
    """These interventions, applied to the chain; they cured unless ``made`` says otherwise."""
    interventions = tuple(INTERVENTIONS[name]() for name in names)
    applied = tuple(Applied(chain(), (), SUMMARIES.get(name, f"Apply {name}.")) for name in names)
    return Attempt(interventions, applied, made or learnt(interventions=names))


def proof(original: int = 0, fixed: int = 3) -> Proof:
    """Runs on as many of the proof's seeds as are needed, of which so many learnt."""

    def runs(good: int) -> tuple[Run, ...]:
        return tuple(learnt() if number < good else run() for number in range(NEEDED))

    return Proof(PROOF_SEEDS[:NEEDED], runs(original), runs(fixed))


def search(*attempts: Attempt, fix: Attempt | None = None, proved: Proof | None = None) -> SearchResult:
    """A finished search."""
    return SearchResult(list(attempts), fix, proved)


def finding(rule: str, severity: Severity = "error", **changes: Any) -> Finding:
    """A finding of a real rule."""
    given: dict[str, Any] = {
        "rule": rule, "severity": severity, "title": RULES[rule].title, "layers": (), "evidence": {},
        "explanation": "Because.", "fix": "Mend it.",
    }  # fmt: skip
    return Finding(**{**given, **changes})

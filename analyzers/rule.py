"""What a rule is: it measures declared facts, then judges the measurement against named constants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from analyzers.options import Options
from analyzers.probe.evidence import ProbeEvidence
from analyzers.report import Severity, Status
from analyzers.spec import ModelSpec, TrainingSpec
from analyzers.spec.graph import Graph

Fact = Literal["training", "weights", "optimizer_state", "probe"]
"""What a rule may ask for beside the graph.  Graph and layer settings are always there."""

Group = Literal["inputs", "outputs", "architecture", "training", "weights", "optimizer_state", "probe"]


class UndeclaredFactError(Exception):
    """A rule asked for facts that it did not declare in ``requires``."""


@dataclass(frozen=True)
class Facts:
    """What the engine gathered, cut down to what one rule declared.

    Attributes:
        spec: the model.  Its ``weights`` may be read only with ``weights`` or ``optimizer_state``.
        graph: the flat graph of ``spec``, built once for all rules.
        options: what the sender said.
        declared: the facts that the rule declared and that are there.
        evidence: the probe's, for rules that declare ``probe``.
    """

    spec: ModelSpec
    graph: Graph
    options: Options
    declared: frozenset[Fact] = frozenset()
    evidence: ProbeEvidence | None = None

    def has(self, fact: Fact) -> bool:
        """Whether a fact that the rule declared is there; for the ``optional`` ones."""
        return fact in self.declared

    @property
    def training(self) -> TrainingSpec:
        """The file's compile settings, overridden by the sender's options."""
        if "training" not in self.declared or self.spec.training is None:
            raise UndeclaredFactError("training")
        return self.spec.training

    @property
    def probe(self) -> ProbeEvidence:
        """The probe's evidence."""
        if "probe" not in self.declared or self.evidence is None:
            raise UndeclaredFactError("probe")
        return self.evidence


@dataclass(frozen=True)
class Measurement:
    """What a rule measured, before any judgement.

    Attributes:
        value: the headline number.
        unit: its unit, in words ("share of units", "ratio", "layers").
        layers: per-layer table, layer path -> column -> number or text; empty where there is none.
        details: whatever else the judgement and the report need; plain JSON values.
    """

    value: float
    unit: str
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NotApplicable:
    """The rule has nothing to measure here.  ``reason`` ends with what would settle it, if anything."""

    reason: str


@dataclass(frozen=True)
class Finding:
    """A suspicion with its numbers.

    ``severity`` is that of a confirmed or certain finding; the diagnosis lowers it by one step while
    the finding is only suspected.  ``certain`` marks a proof that needs no probe (NaN weights): such a
    finding is confirmed at once.  ``recorded`` marks one that the real run's traces in the file bear out:
    it is confirmed where no probe was run, which would know better.  ``despite_learning`` marks one that
    a model's learning does not refute, since it says that what is minimised is not what is meant.
    ``evidence`` holds plain JSON numbers and texts.
    """

    rule: str
    severity: Severity
    title: str
    layers: tuple[str, ...]
    evidence: Mapping[str, Any]
    explanation: str
    fix: str
    certain: bool = False
    recorded: bool = False
    despite_learning: bool = False
    confidence: float = 0.5
    status: Status = "suspected"
    references: tuple[str, ...] = ()


class Rule(ABC):
    """One rule of the catalogue.  Its docstring has the headings that the rule pages are made of.

    Attributes:
        id: kebab-case, the contract; the module's name is the same with underscores.
        group: the folder it lives in.
        title: the failing state as a noun, for headings ("Raw pixels reach the first layer").
        requires: the facts beside the graph without which the rule is not applicable.
        optional: the facts that it also looks at where they are there (`Facts.has`).
        interventions: ids of interventions that may cure what it names, the specific ones first.
        specific: those whose cure confirms this very cause (PROBE.md: a cure proves a fix, not a cause).
        references: papers, documentation.
    """

    id: ClassVar[str]
    group: ClassVar[Group]
    title: ClassVar[str]
    requires: ClassVar[frozenset[Fact]] = frozenset()
    optional: ClassVar[frozenset[Fact]] = frozenset()
    interventions: ClassVar[tuple[str, ...]] = ()
    specific: ClassVar[frozenset[str]] = frozenset()
    references: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Measure; no judgement, no threshold."""

    @abstractmethod
    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Judge a measurement against the module's named constants; nothing found is a pass."""

    def finding(
        self,
        severity: Severity,
        *,
        layers: Sequence[str] = (),
        evidence: Mapping[str, Any],
        explanation: str,
        fix: str,
        title: str | None = None,
        certain: bool = False,
        recorded: bool = False,
        despite_learning: bool = False,
        confidence: float = 0.5,
    ) -> Finding:
        """A finding of this rule."""
        return Finding(
            rule=self.id,
            severity=severity,
            title=title or self.title,
            layers=tuple(layers),
            evidence=evidence,
            explanation=explanation,
            fix=fix,
            certain=certain,
            recorded=recorded,
            despite_learning=despite_learning,
            confidence=confidence,
            references=self.references,
        )

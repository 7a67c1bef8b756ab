"""The report, schema version 1.  These models are its source; the JSON Schema is generated from them.

Fields may be added, never changed; readers ignore unknown ones.  NaN and infinity never appear: a
number that is not finite is ``None`` (`finite` does that).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal[
    "converges", "conditional", "slow", "unstable", "stuck", "diverges", "cannot_train", "inconclusive"
]
RunVerdict = Literal["learnt", "slow", "stuck", "diverged", "unstable"]
Severity = Literal["error", "warning", "info"]
Status = Literal["confirmed", "suspected", "refuted"]
OutcomeName = Literal["fail", "warn", "info", "pass", "not_applicable", "skipped", "error"]
Level = Literal["fine", "warning", "error"]

BAD_VERDICTS: frozenset[Verdict] = frozenset({"stuck", "diverges", "cannot_train"})
WARNING_VERDICTS: frozenset[Verdict] = frozenset({"unstable", "slow", "conditional", "inconclusive"})


def finite(value: float | None) -> float | None:
    """``value`` where it is a finite number, else None (JSON has neither NaN nor infinity)."""
    return float(value) if value is not None and math.isfinite(value) else None


def finite_list(values: Iterable[float]) -> list[float | None]:
    """`finite` for a series."""
    return [finite(value) for value in values]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")


class Engine(_Model):
    """What produced the report."""

    unstuck: str
    keras: str
    tensorflow: str
    device: str


class TensorSummary(_Model):
    """One input or output of the model; shape without the batch axis, None for open dimensions.

    ``kind`` says what it looks like: ``image``, ``sequence``, ``tokens``, ``table`` for inputs;
    ``probabilities``, ``logits``, ``values`` ... for outputs.
    """

    name: str
    shape: list[int | None]
    dtype: str
    kind: str


class ModelSummary(_Model):
    """What was diagnosed."""

    name: str
    format: str
    keras_version: str | None
    sha256: str
    size_bytes: int
    layers: int
    parameters: int
    trainable_parameters: int
    inputs: list[TensorSummary]
    outputs: list[TensorSummary]
    task: str | None
    loss: str | None
    optimizer: str | None
    learning_rate: float | None
    steps_trained: int | None


class FindingReport(_Model):
    """One thing that is wrong, or was suspected and refuted."""

    rule: str
    severity: Severity
    status: Status
    confidence: float
    title: str
    layers: list[str]
    evidence: dict[str, Any]
    explanation: str
    fix: str
    references: list[str]


class Change(_Model):
    """One intervention of a fix, and the layers that it touches."""

    intervention: str
    layers: list[str]
    summary: str
    settings: dict[str, Any] = Field(default_factory=dict)


class Performance(_Model):
    """How a run ended: data loss and accuracy on fresh samples of the task."""

    loss: float | None
    accuracy: float | None
    verdict: RunVerdict


class Tried(_Model):
    """One set of interventions that the search ran."""

    interventions: list[str]
    verdict: RunVerdict
    loss: float | None
    accuracy: float | None


class Proof(_Model):
    """Runs on seeds that the search never used: how many the fix cured, how many the original failed."""

    seeds: list[int]
    cured: int
    original_failed: int


class Fix(_Model):
    """The smallest change that was shown to make the model learn."""

    summary: str
    verified: bool
    changes: list[Change]
    code: str
    diff: str
    before: Performance
    after: Performance
    repaired_model: str | None
    not_needed: list[str]
    tried: list[Tried]
    proof: Proof


class RunReport(_Model):
    """One training run of the probe.  ``label`` tells a person what was run."""

    label: str
    interventions: list[str]
    input_scale: str
    weights: Literal["saved", "fresh"]
    seed: int
    verdict: RunVerdict
    loss: list[float | None]
    accuracy: list[float | None]
    gradient_norms: dict[str, list[float | None]]
    learning_rate: float | None = None
    final_loss: float | None = None
    final_accuracy: float | None = None


class ProbeReport(_Model):
    """What was trained, and how it went.  ``chance_loss`` is the best constant prediction's loss."""

    task: str
    chance_loss: float
    runs: list[RunReport]
    reductions: list[str]
    classes: int | None = None
    batch_size: int | None = None
    control_accuracy: float | None = None


class Check(_Model):
    """How one rule ended.  ``reason`` is set where it could not be applied, was skipped or failed."""

    rule: str
    outcome: OutcomeName
    reason: str | None = None


class Signal(_Model):
    """What the deciding run measured at one layer, at its start."""

    layer: str
    activation_rms: float | None
    gradient_norm: float | None
    update_ratio: float | None
    dead_fraction: float | None


class Timings(_Model):
    """Seconds by stage."""

    reading_s: float
    rules_s: float
    build_s: float
    probe_s: float
    total_s: float


class Report(_Model):
    """A whole diagnosis."""

    schema_version: Literal["1"] = "1"
    id: str
    created_at: str
    engine: Engine
    model: ModelSummary
    verdict: Verdict
    confidence: float
    summary: str
    conditions: list[str]
    findings: list[FindingReport]
    fix: Fix | None
    probe: ProbeReport | None
    checks: list[Check]
    signals: list[Signal]
    timings: Timings
    trainability_map: dict[str, Any] | None = None
    incomplete: bool = False
    assumptions: list[str] = Field(default_factory=list)
    ignored: list[str] = Field(default_factory=list)


def level(report: Report) -> Level:
    """How bad a report is for a build, as DESIGN.md's report section defines it.

    ``error`` for a bad verdict or a confirmed error; ``warning`` for a doubtful verdict or warnings;
    else ``fine``.  Ignored rules do not count, refuted findings neither.
    """
    counted = [f for f in report.findings if f.rule not in report.ignored and f.status != "refuted"]
    if report.verdict in BAD_VERDICTS or any(
        f.severity == "error" and f.status == "confirmed" for f in counted
    ):
        return "error"
    if report.verdict in WARNING_VERDICTS or any(f.severity in ("error", "warning") for f in counted):
        return "warning"
    return "fine"

"""The whole report, from what each stage handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from analyzers.diagnosis.assembly import finding_report, probe_report, signals, trainability
from analyzers.diagnosis.attempts import SearchResult
from analyzers.diagnosis.checking import RuleResults, outcome
from analyzers.diagnosis.verdict import Judgement
from analyzers.diagnosis.words import summary
from analyzers.options import Options
from analyzers.probe.evidence import ProbeEvidence
from analyzers.report import Check, Engine, Fix, ModelSummary, Report, TensorSummary, Timings
from analyzers.rule import Finding
from analyzers.spec import ModelSpec, Shape
from analyzers.spec.graph import Graph
from analyzers.spec.model_inputs import model_inputs
from analyzers.spec.output_heads import LOSS_FAMILIES, Head, heads
from analyzers.version import VERSION

_TASKS: Final[Mapping[str, str]] = {
    "categorical": "classification", "sparse": "classification", "binary": "classification",
    "hinge": "classification", "divergence": "distribution matching", "regression": "regression",
}  # fmt: skip
_OUTPUT_KINDS: Final[Mapping[str | None, str]] = {
    "softmax": "probabilities", "sigmoid": "probabilities", "hard_sigmoid": "probabilities",
    "linear": "logits",
}  # fmt: skip


@dataclass(frozen=True)
class Diagnosis:
    """Everything that the report is made of.

    Attributes:
        spec: the model, with the sender's overrides.
        options: the sender's word.
        findings: weighed and ordered.
        results: the rules' checks.
        judgement: the verdict.
        evidence: the probe's, or None.
        search: the search's result, or None where there was nothing to mend.
        fix: the fix as reported.
        device: what the probe ran on.
        timings: seconds by stage.
        assumptions: what was assumed, for a person.
        graph: of ``spec``, where it is made already.
    """

    spec: ModelSpec
    options: Options
    findings: Sequence[Finding]
    results: RuleResults
    judgement: Judgement
    evidence: ProbeEvidence | None
    search: SearchResult | None
    fix: Fix | None
    device: str
    timings: Timings
    assumptions: Sequence[str] = ()
    graph: Graph | None = None


def compose(diagnosis: Diagnosis, report_id: str) -> Report:
    """The report of a diagnosis."""
    evidence, search = diagnosis.evidence, diagnosis.search
    ran = evidence is not None and bool(evidence.runs)
    cut = (evidence is not None and evidence.cut) or (search is not None and search.cut)
    checks = _checks(diagnosis)
    return Report(
        id=report_id,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        engine=Engine(
            unstuck=VERSION,
            keras=version("keras"),
            tensorflow=version("tensorflow"),
            device=diagnosis.device,
        ),
        model=model_summary(diagnosis.spec, diagnosis.graph),
        verdict=diagnosis.judgement.verdict,
        confidence=diagnosis.judgement.confidence,
        summary=summary(diagnosis.spec, diagnosis.judgement, diagnosis.findings, evidence, search),
        conditions=list(diagnosis.judgement.conditions),
        findings=[finding_report(finding) for finding in diagnosis.findings],
        fix=diagnosis.fix,
        probe=probe_report(evidence, search) if evidence is not None else None,
        checks=checks,
        signals=signals(evidence) if evidence is not None and ran else [],
        timings=diagnosis.timings,
        trainability_map=trainability(evidence, search) if evidence is not None else None,
        incomplete=cut or any(check.outcome in ("error", "skipped") for check in checks),
        assumptions=list(diagnosis.assumptions),
        ignored=[rule for rule in diagnosis.options.ignore if rule in diagnosis.results.checks],
    )


def _checks(diagnosis: Diagnosis) -> list[Check]:
    """The rules' outcomes after weighing: a refuted finding counts as passed."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in diagnosis.findings:
        by_rule.setdefault(finding.rule, []).append(finding)
    return [
        check.model_copy(update={"outcome": outcome(by_rule[rule])}) if rule in by_rule else check
        for rule, check in diagnosis.results.checks.items()
    ]


def model_summary(spec: ModelSpec, graph: Graph | None = None) -> ModelSummary:
    """What was diagnosed.

    Args:
        spec: the model.
        graph: of ``spec``, where it is made already.
    """
    graph = graph or Graph(spec)
    outputs = heads(graph, spec.training)
    provenance, training = spec.provenance, spec.training
    counted = graph.cost
    return ModelSummary(
        name=spec.name,
        format=provenance.format if provenance else "",
        keras_version=provenance.keras_version if provenance else None,
        sha256=provenance.sha256 if provenance else "",
        size_bytes=provenance.size_bytes if provenance else 0,
        layers=len(graph.flat.layers),
        parameters=sum(tensor.size for tensor in spec.weights.tensors) or counted.parameters,
        trainable_parameters=counted.trainable_parameters,
        inputs=[
            TensorSummary(name=item.name, shape=_sizes(item.shape), dtype=item.dtype, kind=item.kind)
            for item in model_inputs(graph)
        ],
        outputs=[_output(head) for head in outputs],
        task=_task(outputs),
        loss=_losses(spec),
        optimizer=training.optimizer.kind if training and training.optimizer else None,
        learning_rate=training.learning_rate if training else None,
        steps_trained=training.steps_taken if training else None,
    )


def _sizes(shape: Shape) -> list[int | None]:
    return list(shape[1:])


def _output(head: Head) -> TensorSummary:
    kind = _OUTPUT_KINDS.get(head.activation, "values")
    if kind == "logits" and head.loss is not None and not head.from_logits:
        kind = "values"
    return TensorSummary(name=head.node.path, shape=_sizes(head.shape), dtype="float32", kind=kind)


def _losses(spec: ModelSpec) -> str | None:
    kinds = [loss.kind for loss in spec.training.losses if loss is not None] if spec.training else []
    return ", ".join(dict.fromkeys(kinds)) or None


def _task(outputs: Sequence[Head]) -> str | None:
    """The task that the first loss, or else the first output's activation, stands for."""
    for head in outputs:
        if head.loss is not None and head.loss.kind in LOSS_FAMILIES:
            return _TASKS[LOSS_FAMILIES[head.loss.kind]]
        if head.activation in ("softmax", "sigmoid"):
            return "classification"
    return None

"""The report without training: rules on what the file says."""

from __future__ import annotations

import time
from typing import Final

from analyzers.diagnosis.checking import run_rules
from analyzers.diagnosis.composing import Diagnosis, compose
from analyzers.diagnosis.verdict import judge
from analyzers.diagnosis.weighing import weigh
from analyzers.options import Options
from analyzers.report import Report, Timings
from analyzers.spec import ModelSpec
from analyzers.spec.graph import Graph

READ_ONLY: Final = "the model was read, not trained (probe=off)"
"""Why nothing was trained, where the sender wants it so."""


def weights_only(spec: ModelSpec) -> str | None:
    """What the report of a file without a graph says first; None for one that has it."""
    if spec.has_graph:
        return None
    if spec.provenance is None or spec.provenance.format != "keras-weights":
        return (
            "the model is a Python subclass, whose graph is not in the file: only its settings and the names, shapes and "
            "values of its weights could be judged; build it with the functional API and save it with "
            "model.save('model.keras') for a diagnosis"
        )
    return (
        "the file holds weights without an architecture (save_weights): only names, shapes and values could be "
        "judged; save the whole model with model.save('model.keras') for a diagnosis"
    )


def static_report(
    spec: ModelSpec, options: Options, *, report_id: str, reading_s: float, reason: str
) -> Report:
    """Judge a spec by its graph, settings, weights and optimizer state alone.

    Args:
        spec: the model.
        options: the sender's word.
        report_id: id of the report.
        reading_s: seconds that reading took.
        reason: why nothing was trained, for a person.
    """
    started = time.monotonic()
    reason = weights_only(spec) or reason
    graph = Graph(spec)
    results = run_rules(spec, options, probe_reason=reason, graph=graph)
    findings = weigh(results.findings, None, None)
    rules_s = time.monotonic() - started
    timings = Timings(
        reading_s=round(reading_s, 3), rules_s=round(rules_s, 3), build_s=0.0, probe_s=0.0,
        total_s=round(reading_s + rules_s, 3),
    )  # fmt: skip
    judgement = judge(findings, None, reason)
    diagnosis = Diagnosis(
        spec, options, findings, results, judgement, None, None, None, "none", timings, graph=graph
    )
    return compose(diagnosis, report_id)

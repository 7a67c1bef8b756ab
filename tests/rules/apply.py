"""Applies one rule to a spec the way the engine does."""

from __future__ import annotations

import json

from analyzers.diagnosis.checking import facts_of
from analyzers.options import Options
from analyzers.rule import Facts, Finding, Measurement, NotApplicable, Rule
from analyzers.spec import ModelSpec
from analyzers.spec.graph import Graph


def measured(rule: Rule, spec: ModelSpec, options: Options | None = None) -> Measurement | NotApplicable:
    """What the rule measures; its facts must be there."""
    available = facts_of(spec, None)
    assert rule.requires <= available, f"{rule.id} needs {rule.requires - available}"
    return rule.measure(
        Facts(spec, Graph(spec), options or Options(), available & (rule.requires | rule.optional))
    )


def findings(rule: Rule, spec: ModelSpec, options: Options | None = None) -> list[Finding]:
    """What the rule finds; fails where it is not applicable or where its numbers are not plain JSON."""
    measurement = measured(rule, spec, options)
    assert isinstance(measurement, Measurement), measurement
    layers = {path: dict(row) for path, row in measurement.layers.items()}
    json.dumps([measurement.value, layers, dict(measurement.details)], allow_nan=False)
    found = list(rule.judge(measurement))
    for finding in found:
        json.dumps(dict(finding.evidence), allow_nan=False)
        assert finding.explanation.endswith(".")
        assert finding.fix.endswith(".")
    return found


def reason(rule: Rule, spec: ModelSpec, options: Options | None = None) -> str:
    """Why the rule is not applicable; fails where it is."""
    measurement = measured(rule, spec, options)
    assert isinstance(measurement, NotApplicable), measurement
    return measurement.reason

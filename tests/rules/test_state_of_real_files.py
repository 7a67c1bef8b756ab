"""The rules on saved weights and optimizer state, on other people's files: each alarm was looked at by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analyzers.errors import InputError
from analyzers.options import Options
from analyzers.reading import open_model
from analyzers.registry import RULES
from analyzers.rule import Fact, Facts, Finding, Measurement, Rule
from analyzers.spec import ModelSpec
from analyzers.spec.graph import Graph
from tests.support import SHARED_MODELS

STATE: Final = [rule for rule in RULES.values() if rule.group in ("weights", "optimizer_state")]

NAMES: Final = RULES["bypassed-preprocessing"]

LOOKED_AT: Final[dict[str, set[str]]] = {
    # True: colour images without any scaling in the file, read back at 82 in size; it learnt all the same.
    "47ac9113b75068e7.h5": {"raw-input-statistics"},
    # True: 351 of 512 channels behind the first ReLU have a moving variance of 1e-36: dead at the end.
    "4e20981c7ba8183c.keras": {"batch-normalization-saturated"},
    # True: LayerNormalization over one channel gives zeros, so attention and its convolutions never learnt.
    "5273d6048fda74e7.keras": {"dead-relu-units", "recorded-zero-gradient"},
    # True: features of 4e8 in front of BatchNormalization; the gradient in front of it is 3e-18 and has ended.
    "aeaa46e395f01e20.h5": {"batch-normalization-saturated", "recorded-flatline"},
    # The same network, saved by itself without its optimizer.
    "dbddb1c8713f9c82.h5": {"batch-normalization-saturated"},
}  # fmt: skip
"""File -> rules that warn or fail, all of them rightly; every other readable file is passed."""


def alarms(rules: Sequence[Rule]) -> dict[str, set[str]]:
    """File -> those of the rules that find something worth a look."""
    found: dict[str, set[str]] = {}
    for path in sorted(path for path in SHARED_MODELS.glob("*") if path.suffix != ".json"):
        try:
            with open_model(path) as spec:
                found[path.name] = loud(rules, spec)
        except InputError:
            continue
    assert len(found) > 30
    return {name: which for name, which in found.items() if which}


def loud(rules: Sequence[Rule], spec: ModelSpec) -> set[str]:
    """Ids of the rules that find something at warning or above, or, for names, anything at all."""
    there: set[Fact] = {"weights"} if spec.weights.tensors else set()
    there |= {"training"} if spec.training is not None else set()
    there |= {"optimizer_state"} if spec.weights.slots else set()
    graph = Graph(spec)
    found: list[Finding] = []
    for rule in rules:
        if rule.requires <= there:
            measurement = rule.measure(Facts(spec, graph, Options(), rule.requires))
            if isinstance(measurement, Measurement):
                found.extend(rule.judge(measurement))
    return {finding.rule for finding in found if finding.severity != "info" or finding.rule == NAMES.id}


def test_no_alarm_is_raised_that_is_not_true() -> None:
    assert alarms(STATE) == LOOKED_AT


def test_automatic_names_betray_nothing() -> None:
    """Notebooks that rebuilt a model number on; none of these files left a part out."""
    assert alarms([NAMES]) == {}

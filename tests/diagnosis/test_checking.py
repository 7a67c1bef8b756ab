"""The runner of the rules: facts as declared, exceptions as outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

from analyzers.diagnosis import checking
from analyzers.diagnosis.checking import RuleResults, outcome, run_rules
from analyzers.errors import InputError
from analyzers.options import Options
from analyzers.registry import RULES
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.spec import Array, TensorInfo
from tests.diagnosis.factory import finding, training
from tests.rules.probe.factory import chain, evidence, learnt


class Scripted(Rule):
    """Does as its class attributes say."""

    id: ClassVar[str] = "scripted"
    group: ClassVar[Group] = "inputs"
    title: ClassVar[str] = "A scripted state"

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        return Measurement(1.0, "things")

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        return [self.finding("warning", evidence={}, explanation="So.", fix="Do.")]


class Raising(Scripted):
    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        raise ZeroDivisionError("a secret path")


class RaisingLater(Scripted):
    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        raise KeyError("weights")


class Undeclared(Scripted):
    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        return Measurement(float(facts.training.learning_rate or 0), "rate")


class UndeclaredProbe(Scripted):
    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        return Measurement(facts.probe.chance_loss, "nats")


class NotHere(Scripted):
    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        return NotApplicable("there is no image input")


class Refusing(Scripted):
    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        raise InputError("corrupt-file")


class Probing(Scripted):
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe", "training"})

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        return Measurement(facts.probe.chance_loss * float(facts.training.learning_rate or 0), "nats")


@dataclass(frozen=True)
class FakeWeights:
    tensors: Sequence[TensorInfo] = ()
    slots: Sequence[TensorInfo] = ()
    slot_problem: str | None = None

    def load(self, tensor: TensorInfo) -> Array:
        raise KeyError(tensor)


SPEC = replace(chain(), training=training())


def _run(monkeypatch: pytest.MonkeyPatch, *rules: type[Scripted], **given: Any) -> RuleResults:
    made = {rule.__name__: rule() for rule in rules}
    for name, rule in made.items():
        rule.id = name  # type: ignore[misc] # each under its own name
    monkeypatch.setattr(checking, "RULES", made)
    return run_rules(given.pop("spec", SPEC), Options(), **given)


@pytest.mark.parametrize("rule", [Raising, RaisingLater])
def test_a_rule_that_raises_ends_as_an_error_without_its_words(
    monkeypatch: pytest.MonkeyPatch, rule: type[Scripted]
) -> None:
    found = _run(monkeypatch, rule, Scripted)
    check = found.checks[rule.__name__]
    name = "ZeroDivisionError" if rule is Raising else "KeyError"
    assert (check.outcome, check.reason) == ("error", f"internal error: {name}")
    assert found.checks["Scripted"].outcome == "warn"
    assert [one.rule for one in found.findings] == ["Scripted"]


@pytest.mark.parametrize("rule", [Undeclared, UndeclaredProbe])
def test_facts_that_were_not_declared_are_not_there(
    monkeypatch: pytest.MonkeyPatch, rule: type[Scripted]
) -> None:
    found = _run(monkeypatch, rule, evidence=evidence(learnt()))
    assert found.checks[rule.__name__].outcome == "error"
    assert found.checks[rule.__name__].reason == "internal error: UndeclaredFactError"


def test_declared_facts_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, Probing, evidence=evidence(learnt())).checks["Probing"].outcome == "warn"


def test_a_missing_fact_makes_a_rule_not_applicable_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _run(monkeypatch, Probing, probe_reason="the model has 2 inputs").checks["Probing"]
    assert (found.outcome, found.reason) == ("not_applicable", "the model has 2 inputs")
    untrained = _run(monkeypatch, Probing, spec=chain(), evidence=evidence(learnt())).checks["Probing"]
    assert untrained.outcome == "not_applicable"
    assert untrained.reason is not None
    assert untrained.reason.startswith("the file has no compile settings")


def test_state_that_could_not_be_mapped_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class State(Scripted):
        requires: ClassVar[frozenset[Fact]] = frozenset({"optimizer_state"})

    for problem, expected in (
        (None, "the file holds no optimizer state"),
        ("shapes differ", "shapes differ"),
    ):
        found = _run(monkeypatch, State, spec=replace(SPEC, weights=FakeWeights(slot_problem=problem)))
        reason = found.checks["State"].reason
        assert reason is not None
        assert reason.startswith(expected)


def test_a_rule_may_say_that_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _run(monkeypatch, NotHere).checks["NotHere"]
    assert (found.outcome, found.reason) == ("not_applicable", "there is no image input")


def test_a_refusal_of_the_file_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError):
        _run(monkeypatch, Refusing)


def test_only_the_rules_asked_for_run() -> None:
    chosen = frozenset({"missing-training-config"})
    assert set(run_rules(SPEC, Options(), only=chosen).checks) == chosen
    assert set(run_rules(SPEC, Options()).checks) == set(RULES)


def test_the_worst_open_finding_gives_the_outcome() -> None:
    error, warning = finding("learning-rate-too-high"), finding("learning-rate-too-high", "warning")
    refuted = replace(error, status="refuted")
    assert outcome([]) == "pass"
    assert outcome([warning, error]) == "fail"
    assert outcome([refuted, warning]) == "warn"
    assert outcome([refuted]) == "pass"
    assert outcome([replace(error, severity="info")]) == "info"

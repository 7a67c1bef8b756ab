"""The search: what is tried, in which order, and what counts as proved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from analyzers.building import Unbuildable
from analyzers.diagnosis.attempts import NEEDED, PROOF_SEEDS, SearchResult
from analyzers.diagnosis.search import DECADES, Search, apply_all, candidates, specific_interventions
from analyzers.interventions.base import Applied, Intervention
from analyzers.interventions.registry import INTERVENTIONS
from analyzers.probe.evidence import Run
from analyzers.probe.judgement import EARLIEST_SURRENDER
from analyzers.probe.runner import Setting
from analyzers.probe.session import ProbeSession
from analyzers.probe.watch import OutOfTimeError
from analyzers.registry import RULES
from analyzers.report import RunVerdict
from analyzers.rule import Finding
from analyzers.spec import ModelSpec
from tests.diagnosis.factory import finding, training
from tests.probe.models import plain
from tests.rules.probe.factory import FALLING, chain, evidence, learnt, run
from tests.support import spec_of

RATE = finding("learning-rate-too-high")
INITIALIZER = finding("initializer-activation-mismatch")
DEEP = finding("deep-plain-network")


def _ids(found: Iterable[Intervention]) -> list[str]:
    return [one.id for one in found]


def test_the_best_supported_intervention_comes_first() -> None:
    strong = replace(INITIALIZER, confidence=1.0)
    weak = replace(RATE, severity="info", confidence=0.1)
    assert _ids(candidates([weak, strong], run()))[0] == "he-initialization"
    assert _ids(candidates([replace(RATE, confidence=1.0), replace(weak, rule=INITIALIZER.rule)], run()))[
        0
    ] == ("lower-learning-rate")


def test_of_equal_support_the_less_invasive_comes_first() -> None:
    found = candidates([RATE, INITIALIZER], run())
    assert _ids(found) == ["lower-learning-rate", "he-initialization"]
    assert [one.invasiveness for one in found] == sorted(one.invasiveness for one in found)


def test_a_model_that_learnt_at_a_higher_rate_is_not_slowed_down() -> None:
    stuck = finding("loss-stuck-at-chance")
    found = _ids(candidates([RATE, stuck], run(), learnt()))
    assert "lower-learning-rate" not in found
    assert "raise-learning-rate" in found


def test_a_rate_that_learnt_before_is_not_run_again() -> None:
    session = FakeSession({"raise-learning-rate": _never})
    known = evidence(run(learning_rate=0.3), run(learning_rate=3.0), learnt(learning_rate=30.0))
    found = Search(cast(ProbeSession, session), known, [finding("learning-rate-too-low")]).find()
    assert found.fix is not None
    assert found.fix.ids == ("raise-learning-rate",)
    assert found.fix.applied[0].settings == {"learning_rate": 30.0}
    assert not [one for one in session.tried if one[0] == "raise-learning-rate" and one[1] < PROOF_SEEDS[0]]


def test_input_is_not_scaled_twice() -> None:
    scaling = finding("missing-input-normalization")
    assert _ids(candidates([scaling], run(scale="standardized"))) == []
    assert set(_ids(candidates([scaling], run(scale="raw")))) == {"rescale-inputs", "standardize-inputs"}


def test_dead_layers_are_drawn_anew_only_where_weights_were_saved() -> None:
    dead = finding("dead-relu-units")
    assert "reinitialize-dead-layers" not in _ids(candidates([dead], run()))
    assert "reinitialize-dead-layers" in _ids(candidates([dead], run(weights="saved")))


def test_certain_findings_ask_for_no_confirmation() -> None:
    assert specific_interventions([RATE]) == {"lower-learning-rate"}
    assert specific_interventions([replace(RATE, certain=True)]) == frozenset()


def test_applying_ends_where_there_is_nothing_to_change() -> None:
    spec = replace(chain(), training=training())
    lower, dropout = INTERVENTIONS["lower-learning-rate"](), INTERVENTIONS["reduce-dropout"]()

    assert [one.settings for one in apply_all(spec, [lower])] == [{"learning_rate": pytest.approx(0.001)}]
    assert len(list(apply_all(spec, [dropout, lower]))) == 0
    twice = list(apply_all(spec, [lower, lower]))
    assert twice[-1].settings["learning_rate"] == pytest.approx(0.0001)


Outcome = Callable[[int], RunVerdict]


def _never(_: int) -> RunVerdict:
    return "stuck"


@dataclass
class FakeSession:
    """A probe whose runs end as a table says; ``outcomes`` maps a label and a seed to a verdict."""

    outcomes: Mapping[str, Outcome]
    late: str = ""
    spec: ModelSpec = field(default_factory=lambda: replace(chain(), training=training()))
    tried: list[tuple[str, int, float]] = field(default_factory=list)
    remaining: int = 10_000
    steps: Mapping[str, int] = field(default_factory=dict)
    limits: list[tuple[str, int, int]] = field(default_factory=list)
    extended: dict[str, bool] = field(default_factory=dict)
    granted: list[float] = field(default_factory=list)
    proof_grace_s: float = 15.0
    above_all_rates: bool = False

    @property
    def plan(self) -> Any:
        return SimpleNamespace(steps=60, stretch=1.0)

    @property
    def watch(self) -> Any:
        return SimpleNamespace(remaining_steps=self.remaining, begin=self._begin, grant=self.granted.append)

    def _begin(self, stage: str, message: str) -> None:
        if self.late and stage == self.late:
            raise OutOfTimeError

    def seed(self, number: int) -> int:
        return number

    def original(self) -> Callable[[Setting], Run]:
        return lambda setting: self._run("original", setting)

    def attempt(
        self, _spec: ModelSpec, label: str, _fresh: frozenset[str], *, keeps_graph: bool, own_numbers: bool
    ) -> Callable[[Setting], Run]:
        assert not own_numbers
        assert keeps_graph == ("learning-rate" in label and "+" not in label)
        if label == "leaky-relu":
            raise Unbuildable((("d0", "made so by the test"),))
        return lambda setting: self._run(label, setting)

    def _run(self, label: str, setting: Setting) -> Run:
        self.tried.append((label, setting.seed, setting.learning_rate))
        self.limits.append((label, setting.seed, setting.steps))
        self.extended.setdefault(label, setting.extend)
        verdict = self.outcomes.get(label, _never)(setting.seed)
        needed = self.steps.get(label, 20)
        loss = (*FALLING[:20], *(0.1,) * (needed - 20)) if verdict == "learnt" else (1.6,) * 30
        return run(
            verdict, loss=loss, label=setting.label, seed=setting.seed, learning_rate=setting.learning_rate
        )


def _found(session: FakeSession, *findings: Finding) -> SearchResult:
    return Search(cast(ProbeSession, session), evidence(run(learning_rate=0.3)), findings).find()


def _always(_: int) -> RunVerdict:
    return "learnt"


def test_a_cure_is_proved_on_unseen_seeds_against_the_original_on_the_same_seeds() -> None:
    session = FakeSession({"lower-learning-rate": _always})
    found = _found(session, RATE)

    assert found.fix is not None
    assert found.proof is not None
    assert found.fix.ids == ("lower-learning-rate",)
    assert found.proof.verified
    assert found.proof.seeds == PROOF_SEEDS[:NEEDED]
    proved = [one for one in session.tried if one[1] in PROOF_SEEDS]
    assert proved == [
        (label, seed, rate)
        for seed in PROOF_SEEDS[:NEEDED]
        for label, rate in (("lower-learning-rate", pytest.approx(0.001)), ("original", 0.3))
    ]
    assert not {one[1] for one in session.tried if one not in proved} & set(PROOF_SEEDS)


def test_after_a_cure_only_interventions_that_would_confirm_a_cause_are_tried() -> None:
    session = FakeSession({"lower-learning-rate": _always})
    stuck = finding("loss-stuck-at-chance", certain=True)
    found = _found(session, replace(RATE, confidence=0.9), stuck, replace(INITIALIZER, severity="info"))

    assert [one.ids for one in found.attempts] == [("lower-learning-rate",), ("he-initialization",)]


def test_a_cause_that_a_cure_confirmed_is_asked_for_no_other_cure() -> None:
    session = FakeSession({"add-batch-normalization": _always})
    found = _found(session, DEEP, replace(RATE, confidence=0.05))

    tried = [one.ids[0] for one in found.attempts]
    later = tried[tried.index("add-batch-normalization") + 1 :]
    assert "add-skip-connections" in RULES["deep-plain-network"].specific
    assert later
    assert set(later) == {"lower-learning-rate"}


def test_what_a_proved_cause_asks_for_comes_first_and_is_preferred(tmp_path: Path) -> None:
    """He's initialisation throws weights away too, is less invasive, and is asked for by an error besides."""
    cures = {"reinitialize-dead-layers": _always, "he-initialization": _always}
    session = FakeSession(cures, spec=spec_of(plain(), tmp_path))
    nan = finding("non-finite-weights", certain=True)
    broken = replace(evidence(run("diverged", weights="saved")), deciding=0)

    found = Search(cast(ProbeSession, session), broken, [INITIALIZER, nan]).find()

    assert found.attempts[0].ids == ("reinitialize-dead-layers",)
    assert found.fix is not None
    assert found.fix.ids == ("reinitialize-dead-layers",)


def test_without_steps_left_nothing_more_is_tried_after_a_cure() -> None:
    session = FakeSession({"lower-learning-rate": _always}, remaining=0)
    found = _found(session, replace(RATE, confidence=0.9), replace(INITIALIZER, severity="info"))
    assert [one.ids for one in found.attempts] == [("lower-learning-rate",)]


def test_pairs_are_tried_where_no_single_change_cures() -> None:
    session = FakeSession({"lower-learning-rate + he-initialization": _always})
    found = _found(session, RATE, INITIALIZER)

    assert found.fix is not None
    assert found.fix.ids == ("lower-learning-rate", "he-initialization")
    assert [len(one.ids) for one in found.attempts] == [1, 1, 2]
    assert found.proof is not None
    assert found.proof.verified


def test_each_change_is_paired_once_and_not_with_its_opposite() -> None:
    low = finding("learning-rate-too-low")
    found = _found(FakeSession({}), RATE, low, INITIALIZER)
    pairs = [frozenset(one.ids) for one in found.attempts if len(one.ids) == 2]
    assert pairs
    assert len(pairs) == len(set(pairs))
    assert {"lower-learning-rate", "raise-learning-rate"} not in pairs
    assert any("he-initialization" in pair for pair in pairs)


def test_a_cure_that_does_not_stand_its_proof_gives_way_to_one_that_does() -> None:
    lucky: Outcome = lambda seed: "learnt" if seed < 100 else "stuck"  # noqa: E731 - beside its use
    session = FakeSession({"lower-learning-rate": lucky, "he-initialization": _always})
    found = _found(session, RATE, INITIALIZER)

    assert found.fix is not None
    assert found.proof is not None
    assert found.fix.ids == ("he-initialization",)
    assert found.proof.verified


def test_a_fix_whose_original_learns_too_is_not_verified() -> None:
    session = FakeSession({"lower-learning-rate": _always, "original": _always})
    found = _found(session, RATE)
    assert found.fix is not None
    assert found.proof is not None
    assert not found.proof.verified


def test_nothing_that_cures_is_no_fix() -> None:
    found = _found(FakeSession({}), RATE, INITIALIZER)
    assert (found.fix, found.proof, found.cut) == (None, None, False)


def test_the_deadline_leaves_the_best_cure_unproved() -> None:
    found = _found(FakeSession({"lower-learning-rate": _always}, late="proving"), RATE)
    assert found.cut
    assert found.fix is not None
    assert found.proof is None


def test_what_cannot_be_built_is_passed_over() -> None:
    found = _found(FakeSession({}), finding("dead-relu-units"))
    tried = [one.ids for one in found.attempts]
    assert ("lower-learning-rate",) in tried
    assert not any("leaky-relu" in ids for ids in tried if len(ids) == 1)


def test_the_original_is_given_the_cures_steps_and_never_too_few_to_fail_in() -> None:
    session = FakeSession({"lower-learning-rate": _always}, remaining=300)
    found = Search(cast(ProbeSession, session), evidence(run()), [RATE]).find()
    assert found.fix is not None
    assert isinstance(found.fix.applied[0], Applied)
    steps = {label: limit for label, seed, limit in session.limits if seed in PROOF_SEEDS}
    assert steps == {"lower-learning-rate": 30, "original": EARLIEST_SURRENDER}  # the cure learnt in 20


def test_where_steps_are_plenty_the_fixed_model_gets_a_whole_run() -> None:
    session = FakeSession({"lower-learning-rate": _always})
    Search(cast(ProbeSession, session), evidence(run()), [RATE]).find()
    steps = {limit for label, seed, limit in session.limits if seed in PROOF_SEEDS and label != "original"}
    assert steps == {session.plan.steps}


def test_a_rate_that_still_diverges_is_lowered_further() -> None:
    session = FakeSession({"lower-learning-rate": lambda _: "diverged"})
    found = Search(cast(ProbeSession, session), evidence(run()), [RATE]).find()
    rates = [one.applied[0].settings["learning_rate"] for one in found.attempts]
    assert rates == pytest.approx([rates[0] / 10**step for step in range(DECADES + 1)])


def test_an_error_that_asks_for_a_lower_rate_backs_it_however_many_steps_it_takes() -> None:
    outcomes: dict[str, Outcome] = {"lower-learning-rate": _always, "he-initialization": _always}
    for severity, preferred in (("error", "lower-learning-rate"), ("warning", "he-initialization")):
        session = FakeSession(outcomes, steps={"lower-learning-rate": 65})
        found = _found(session, replace(RATE, severity=severity), INITIALIZER)  # type: ignore[arg-type] # two of three
        assert found.fix is not None
        assert found.fix.ids == (preferred,)


def test_pairs_are_tried_where_a_cure_does_not_stand_its_proof() -> None:
    lucky: Outcome = lambda seed: "learnt" if seed < PROOF_SEEDS[1] else "stuck"  # noqa: E731 - beside its use
    both = "lower-learning-rate + he-initialization"
    found = _found(FakeSession({"he-initialization": lucky, both: _always}), RATE, INITIALIZER)
    assert found.fix is not None
    assert found.fix.ids == ("lower-learning-rate", "he-initialization")
    assert found.proof is not None
    assert found.proof.verified


def test_no_attempt_is_proved_twice() -> None:
    lucky: Outcome = lambda seed: "learnt" if seed < PROOF_SEEDS[0] else "stuck"  # noqa: E731 - beside its use
    session = FakeSession({"lower-learning-rate": lucky})
    found = _found(session, RATE)
    proved = [rate for label, seed, rate in session.tried if seed in PROOF_SEEDS and label != "original"]
    assert found.proof is not None
    assert not found.proof.verified
    assert len(proved) == len(set(proved)) == 2


def test_a_model_that_fails_from_most_starts_is_proved_on_more_seeds() -> None:
    lucky: Outcome = lambda seed: "learnt" if seed == PROOF_SEEDS[1] else "stuck"  # noqa: E731 - beside its use
    found = _found(FakeSession({"lower-learning-rate": _always, "original": lucky}), RATE)
    assert found.proof is not None
    assert found.proof.seeds == PROOF_SEEDS[: NEEDED + 1]
    assert found.proof.verified


def test_a_slow_cure_waits_for_what_the_other_candidates_show() -> None:
    session = FakeSession(
        {"lower-learning-rate": _always, "he-initialization": _always}, steps={"lower-learning-rate": 45}
    )
    found = _found(session, replace(RATE, confidence=0.9), INITIALIZER)
    order = [(label, seed in PROOF_SEEDS) for label, seed, _ in session.tried]
    assert order.index(("he-initialization", False)) < next(i for i, one in enumerate(order) if one[1])
    assert found.fix is not None
    assert found.fix.ids == ("lower-learning-rate",)


def test_after_a_cure_a_candidate_gets_a_run_of_the_usual_length() -> None:
    session = FakeSession({"lower-learning-rate": _always})
    _found(session, replace(RATE, confidence=0.9), replace(INITIALIZER, severity="info"))
    assert session.extended["lower-learning-rate"]
    assert not session.extended["he-initialization"]

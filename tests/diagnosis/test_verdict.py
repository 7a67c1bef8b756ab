"""The verdict of every combination of runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzers.diagnosis.verdict import AGREEING, CERTAIN, DOUBTFUL, SINGLE, WARM_UP, Judgement, judge
from analyzers.probe.evidence import Run
from analyzers.report import RunVerdict, Verdict
from tests.diagnosis.factory import finding
from tests.rules.probe.factory import FALLING, STUCK, evidence, learnt, run


def _judge(*runs: Run) -> Judgement:
    return judge([], evidence(*runs))


def test_one_learnt_run_converges_and_agreeing_runs_are_surer() -> None:
    assert _judge(learnt()) == Judgement("converges", SINGLE)
    assert _judge(learnt(), learnt(scale="raw")) == Judgement("converges", AGREEING)
    assert _judge(learnt(), learnt(seed=2)) == Judgement("converges", AGREEING)


@pytest.mark.parametrize(
    ("of_run", "verdict"),
    [("stuck", "stuck"), ("diverged", "diverges"), ("slow", "slow"), ("unstable", "unstable")],
)
def test_a_run_that_failed_gives_its_verdict(of_run: RunVerdict, verdict: Verdict) -> None:
    assert _judge(run(of_run)) == Judgement(verdict, SINGLE)
    assert _judge(run(of_run), run(of_run, scale="raw")) == Judgement(verdict, AGREEING)
    assert (
        _judge(run(of_run), run("diverged" if of_run != "diverged" else "stuck", seed=2)).confidence == SINGLE
    )


def test_a_scale_on_which_it_fails_is_a_condition() -> None:
    found = _judge(learnt(), run("diverged", scale="raw"))
    assert (found.verdict, found.confidence) == ("conditional", SINGLE)
    assert found.conditions == (
        "It learns on standardised input (mean 0, standard deviation 1), not on raw pixels 0-255: "
        "scale the data so before they are fed.",
    )


def test_data_that_nobody_scaled_are_not_to_be_scaled() -> None:
    found = _judge(learnt(scale="unscaled"), run(scale="standardized"))
    assert found.conditions == (
        "It learns on features in units of their own, not on standardised input (mean 0, standard deviation 1): "
        "feed the data as they are.",
    )


def test_a_scale_on_which_it_is_only_slower_is_no_condition() -> None:
    found = _judge(learnt(), run("slow", scale="raw"))
    assert (found.verdict, found.confidence) == ("converges", SINGLE)
    assert found.conditions == ("On raw pixels 0-255 it learns more slowly.",)


def test_saved_weights_that_know_another_scale_are_conditional() -> None:
    found = _judge(run(weights="saved"), learnt(weights="saved", scale="raw"))
    assert (found.verdict, found.confidence) == ("conditional", DOUBTFUL)
    assert found.conditions[0].startswith("It learns on raw pixels 0-255, not on standardised input")


def test_where_saved_weights_learnt_fresh_ones_tell_whether_the_scale_matters() -> None:
    saved, fresh = learnt(weights="saved"), learnt()
    assert _judge(saved, fresh, learnt(scale="raw")) == Judgement("converges", AGREEING)
    assert _judge(saved, run(), run(scale="raw")).verdict == "converges"  # the design fails on either
    found = _judge(saved, fresh, run(scale="raw"))
    assert (found.verdict, found.confidence) == ("conditional", SINGLE)
    assert found.conditions[0].startswith("With fresh weights it learns on standardised input")


def _of_numbers(of_saved: RunVerdict, of_fresh: RunVerdict) -> Judgement:
    runs = (run(of_saved, weights="saved", own_numbers=True), learnt(), run(of_fresh, own_numbers=True))
    return judge([], evidence(*runs, numbers="mean 150, standard deviation 60"))


@pytest.mark.parametrize(("of_saved", "of_fresh"), [("stuck", "stuck"), ("slow", "slow"), ("slow", "stuck")])
def test_numbers_that_only_their_scale_keeps_from_being_learnt_are_a_condition(
    of_saved: RunVerdict, of_fresh: RunVerdict
) -> None:
    found = _of_numbers(of_saved, of_fresh)
    assert (found.verdict, found.confidence) == ("conditional", SINGLE)
    assert "(mean 150, standard deviation 60) it has not learnt" in found.conditions[0]


def test_saved_weights_that_do_worse_on_their_own_numbers_than_fresh_ones_are_to_blame() -> None:
    assert _of_numbers("stuck", "slow").verdict == "stuck"
    assert _of_numbers("stuck", "learnt").verdict == "stuck"


def test_luck_on_another_scale_does_not_excuse_a_fresh_model() -> None:
    found = _judge(run(), learnt(scale="raw"))
    assert (found.verdict, found.confidence) == ("stuck", SINGLE)
    assert found.conditions == (f"On raw pixels 0-255 it learnt, in {len(FALLING)} steps.",)


def test_a_start_from_which_it_is_only_slower_is_no_failure() -> None:
    assert _judge(learnt(), run("slow", seed=2)) == Judgement("converges", SINGLE)


def test_seeds_that_disagree_are_unstable() -> None:
    for runs in ((learnt(), run(seed=2)), (run(), learnt(seed=2))):
        found = _judge(*runs)
        assert (found.verdict, found.confidence) == ("unstable", DOUBTFUL)
        assert found.conditions == ("It learnt from 1 of 2 random starts.",)


def test_a_model_that_fails_from_most_starts_is_stuck_and_the_lucky_ones_are_told() -> None:
    found = _judge(run(), *(run(seed=seed) for seed in (2, 3)), learnt(seed=4))
    assert found.verdict == "stuck"
    assert found.conditions == ("It learnt from 1 of 4 random starts.",)


def test_shorter_starts_that_are_on_their_way_do_not_outvote_a_run_that_arrived_nowhere() -> None:
    shorter = [run("slow", loss=STUCK[:20], seed=seed) for seed in (2, 3, 4)]
    as_long = [run("slow", seed=seed) for seed in (2, 3, 4)]
    assert _judge(run(), *shorter).verdict == "stuck"
    assert _judge(run(), *as_long).verdict == "slow"


def test_the_outputs_that_failed_are_named_where_others_learnt() -> None:
    found = _judge(run(by_output={"kind": 0.2, "age": 1.0, "place": 0.9}))
    assert found.verdict == "stuck"
    assert found.conditions == ("Of its outputs 'kind' learnt, 'age', 'place' did not.",)
    assert _judge(run(by_output={"kind": 0.8, "age": 1.0})).conditions == ()


def test_learning_only_at_a_higher_rate_is_slow() -> None:
    found = _judge(run(), run(learning_rate=1e-2), learnt(learning_rate=1e-1))
    assert (found.verdict, found.confidence) == ("slow", SINGLE)
    assert found.conditions == ("At 100 times its learning rate it learns the task.",)


def test_a_rate_that_no_run_is_long_enough_for_is_stuck() -> None:
    found = _judge(run(learning_rate=1e-8), learnt(learning_rate=1e-3))
    assert found.verdict == "stuck"
    assert found.conditions == ("At 1e+05 times its learning rate it learns the task.",)
    reached = evidence(run(learning_rate=1e-5), learnt(learning_rate=1e-3))
    assert (reached.merely_slow, reached.outcome) == (True, "slow")


def test_a_model_that_diverges_is_not_slow() -> None:
    assert _judge(run("diverged"), learnt(learning_rate=1e-2)).verdict == "diverges"


def test_runs_with_other_weights_do_not_dispute_the_decision() -> None:
    assert _judge(learnt(weights="saved"), run()) == Judgement("converges", SINGLE)
    assert _judge(run(weights="saved"), learnt()).verdict == "stuck"


def test_a_proof_needs_no_run() -> None:
    nan = finding("non-finite-weights", certain=True)
    for found in (None, evidence(learnt())):
        assert judge([nan], found) == Judgement("cannot_train", CERTAIN)


def test_only_a_certain_error_of_the_right_kind_is_a_proof() -> None:
    for one in (
        finding("non-finite-weights"),
        finding("non-finite-weights", "warning", certain=True),
        finding("output-loss-mismatch", certain=True),
    ):
        assert judge([one], evidence(learnt())).verdict == "converges"


def test_without_evidence_it_is_inconclusive_with_the_reason() -> None:
    assert judge([], None, "the model is a table") == Judgement(
        "inconclusive", DOUBTFUL, reason="the model is a table"
    )
    assert judge([], evidence()).reason == "the time ran out before the first run ended"
    failed = judge([], replace(evidence(run()), control=run()))
    assert failed.verdict == "inconclusive"
    assert failed.reason == "the control model did not learn the probe's task either"


@pytest.mark.parametrize("without", ["stuck", "unstable", "diverged"])
@pytest.mark.parametrize("warmed", ["learnt", "slow", "unstable"])
def test_getting_under_way_only_with_a_warm_up_is_a_condition(
    without: RunVerdict, warmed: RunVerdict
) -> None:
    found = _judge(run(without), run(without, scale="raw"), run(warmed, warmed=True))
    assert (found.verdict, found.confidence) == ("conditional", DOUBTFUL)
    assert found.conditions == (WARM_UP,)


def test_a_warm_up_that_does_not_help_excuses_nothing() -> None:
    assert _judge(run(), run(warmed=True)) == Judgement("stuck", SINGLE)
    assert _judge(run("diverged"), run(warmed=True)).verdict == "diverges"

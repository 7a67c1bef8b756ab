"""Which cure to prefer, which run it must mend, when it is proved."""

from __future__ import annotations

from dataclasses import replace

from analyzers.diagnosis.attempts import (
    FRAGILE,
    NEEDED,
    PROOF_SEEDS,
    Proof,
    by_preference,
    failing_run,
)
from analyzers.probe.evidence import Run
from tests.diagnosis.factory import attempt, proof
from tests.rules.probe.factory import evidence, learnt, run


def _cured(steps: int) -> Run:
    return run("learnt", loss=(0.1,) * steps)


def test_the_smaller_then_the_less_invasive_then_the_quicker_cure_is_preferred() -> None:
    rate, norm = "lower-learning-rate", "add-batch-normalization"
    pair = attempt("lower-learning-rate", "he-initialization", made=_cured(10))
    slow, quick = attempt(rate, made=_cured(20)), attempt(rate, made=_cured(12))
    invasive = attempt(norm, made=_cured(10))

    found = by_preference([pair, invasive, slow, quick, attempt("leaky-relu", made=run())])

    assert found == [quick, slow, invasive, pair]


def test_a_fragile_cure_comes_behind_a_robust_one() -> None:
    fragile = attempt("lower-learning-rate", made=_cured(int(10 * FRAGILE) + 1))
    robust = attempt("add-batch-normalization", made=_cured(10))
    assert by_preference([fragile, robust]) == [robust, fragile]


def test_what_an_error_asks_for_comes_before_what_cures_by_other_ways() -> None:
    rate = attempt("raise-learning-rate", made=_cured(12))
    cause = replace(attempt("remove-regularization", made=_cured(20)), backed=True)
    assert by_preference([rate, cause]) == [cause, rate]


def test_what_did_not_cure_is_not_preferred_at_all() -> None:
    assert by_preference([]) == by_preference([attempt("leaky-relu", made=run())]) == []


def test_the_deciding_run_is_the_one_to_mend() -> None:
    failed = run()
    assert failing_run(evidence(failed, learnt())) is failed


def test_a_design_that_fails_afresh_too_is_mended_afresh() -> None:
    saved, fresh = run(weights="saved"), run(label="with fresh weights")
    assert failing_run(evidence(saved, fresh)) is fresh
    assert failing_run(evidence(saved, learnt())) is saved


def test_where_the_decision_learnt_the_scale_that_failed_is_mended() -> None:
    raw = run(scale="raw")
    assert failing_run(evidence(learnt(), learnt(), raw)) is raw


def test_a_model_that_learnt_everywhere_has_nothing_to_mend() -> None:
    made = learnt()
    assert failing_run(evidence(made)) is made


def test_a_proof_needs_every_seed_of_both() -> None:
    whole = proof(original=0, fixed=3)
    assert whole.verified
    assert not proof(original=1, fixed=3).verified
    assert not proof(original=0, fixed=2).verified
    assert not Proof(whole.seeds[:1], whole.original[:1], whole.fixed[:1]).verified


def test_an_original_that_is_on_its_way_down_failed_only_if_slowness_is_what_the_fix_mends() -> None:
    whole = proof(original=0, fixed=3)
    slow = tuple(run("slow") for _ in whole.seeds)
    assert not replace(whole, original=slow).verified
    assert replace(whole, original=slow, mended="slow").verified


def test_an_original_that_took_far_more_steps_than_the_fixed_model_and_did_not_learn_failed() -> None:
    whole = proof(original=0, fixed=3)
    slow = tuple(run("slow") for _ in whole.seeds)
    quick = tuple(replace(one, loss=one.loss[:12]) for one in whole.fixed)
    assert len(slow[0].loss) > FRAGILE * len(quick[0].loss)
    assert replace(whole, original=slow, fixed=quick).verified
    assert not replace(whole, original=tuple(learnt() for _ in whole.seeds), fixed=quick).verified


def test_a_model_that_sometimes_learns_needs_more_seeds() -> None:
    seeds = PROOF_SEEDS[: NEEDED + 1]
    fixed = tuple(learnt() for _ in seeds)
    found = Proof(seeds, (learnt(), *(run() for _ in range(NEEDED))), fixed)
    assert found.verified
    assert (found.cured, found.original_failed) == (NEEDED + 1, NEEDED)
    assert not replace(found, fixed=(*fixed[:-1], run())).verified


def test_an_attempt_knows_what_it_threw_away() -> None:
    both = attempt("lower-learning-rate", "leaky-relu")
    assert both.ids == ("lower-learning-rate", "leaky-relu")
    assert both.fresh == frozenset()
    assert both.cured

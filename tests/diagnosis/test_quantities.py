"""Whether a named quantity moved as an intervention predicted."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from analyzers.diagnosis.quantities import _MOVED, moved
from analyzers.interventions.base import Quantity
from analyzers.probe.evidence import Run
from tests.rules.probe.factory import LAYERS, run, snapshot


def _scales(*values: float) -> Run:
    return run(start=snapshot(activation_rms=dict(zip(LAYERS, values, strict=True))))


def _dead(share: float) -> Run:
    return run(end=snapshot(dead_fraction={"d0": 0.0, "d1": share}))


def _spread(value: float) -> Run:
    return run(end=snapshot(output_spread=value))


def _gap(inference: float) -> Run:
    return run(end=snapshot(training_loss=1.0, inference_loss=inference))


def _updates(ratio: float) -> Run:
    made = run()
    return run(update_ratios={path: (ratio,) * len(made.loss) for path in LAYERS})


def _gradients(first: float) -> Run:
    return run(gradients={"d0": first})


def _head_gradient(first: float) -> Run:
    return run(gradients={"head": first})


MOVES: tuple[tuple[Quantity, Run, Run], ...] = (
    ("input_scale", _scales(100, 1, 1, 1), _scales(1.5, 1, 1, 1)),
    ("input_scale", _scales(3, 1, 1, 1), _scales(1.2, 1, 1, 1)),
    ("activation_scale", _scales(1, 1, 1, 1e-5), _scales(1, 1, 1, 0.1)),
    ("activation_scale", _scales(1, 0, 0, 0), _scales(1, 1, 1, 0.1)),
    ("gradient_profile", _gradients(1e-8), _gradients(0.05)),
    ("gradient_profile", _gradients(0.0), _gradients(0.001)),
    ("dead_fraction", _dead(0.9), _dead(0.2)),
    ("update_ratio", _updates(0.3), _updates(0.03)),
    ("update_ratio", _updates(1e-6), _updates(1e-4)),
    ("output_spread", _spread(0.0), _spread(0.2)),
    ("train_inference_gap", _gap(3.0), _gap(1.2)),
    ("initial_loss", run(loss=(8.0, 1.6)), run(loss=(1.7, 0.1))),
    ("output_gradient", _head_gradient(0.02), _head_gradient(0.1)),
)
STAYS: tuple[tuple[Quantity, Run, Run], ...] = (
    ("input_scale", _scales(100, 1, 1, 1), _scales(80, 1, 1, 1)),
    ("input_scale", _scales(1, 1, 1, 1), _scales(100, 1, 1, 1)),
    ("input_scale", _scales(100, 1, 1, 1e-9), _scales(100, 1, 1, 1)),
    ("activation_scale", _scales(1, 1, 1, 1e-5), _scales(1, 1, 1, 1e-4)),
    ("activation_scale", _scales(1, 0, 3, 1), _scales(1, 0, 1, 1)),
    ("gradient_profile", _gradients(1e-8), _gradients(1e-7)),
    ("gradient_profile", _gradients(0.0), _gradients(0.0)),
    ("dead_fraction", _dead(0.9), _dead(0.6)),
    ("dead_fraction", _dead(0.0), _dead(0.0)),
    ("update_ratio", _updates(0.3), _updates(0.2)),
    ("update_ratio", run(), run()),
    ("output_spread", _spread(0.1), _spread(0.2)),
    ("train_inference_gap", _gap(3.0), _gap(2.8)),
    ("initial_loss", run(loss=(8.0, 1.6)), run(loss=(7.0, 0.1))),
    ("output_gradient", _head_gradient(0.1), _head_gradient(0.15)),
    ("output_gradient", run(gradients={}), _gradients(1.0)),
)


@pytest.mark.parametrize(("quantity", "before", "after"), MOVES)
def test_a_quantity_moves_the_right_way(quantity: Quantity, before: Run, after: Run) -> None:
    assert moved(quantity, before, after)
    assert quantity == "update_ratio" or not moved(quantity, after, before)


@pytest.mark.parametrize(("quantity", "before", "after"), STAYS)
def test_a_quantity_that_hardly_moves_or_the_wrong_way_did_not_move(
    quantity: Quantity, before: Run, after: Run
) -> None:
    assert not moved(quantity, before, after)


def test_every_quantity_is_measured_and_tested() -> None:
    assert set(_MOVED) == set(get_args(Quantity)) == {quantity for quantity, _, _ in MOVES}


def test_updates_are_compared_while_both_runs_have_the_same_weights() -> None:
    """A rate that is too high blows the weights up, and its later updates look small beside them."""
    high = run(update_ratios=dict.fromkeys(LAYERS, (2.0, 0.5, *((0.02,) * 38))))
    low = run(update_ratios=dict.fromkeys(LAYERS, (0.2, 0.1, *((0.05,) * 38))))
    assert moved("update_ratio", high, low)


def test_layers_that_only_one_run_has_do_not_count() -> None:
    with_scaling = run(start=snapshot(activation_rms={"rescale": 50.0, **dict.fromkeys(LAYERS, 1.0)}))
    assert moved("input_scale", _scales(100, 1, 1, 1), with_scaling)


def test_a_scale_that_is_not_finite_is_no_reason_to_fail() -> None:
    assert not moved("activation_scale", _scales(1, 1, 1, math.inf), _scales(1, 1, 1, math.nan))

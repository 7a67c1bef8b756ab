"""Each verdict from a synthetic series, and what must not be taken for another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from analyzers.probe import judgement
from analyzers.probe.judgement import Series, final_verdict

K = 5
CHANCE = math.log(K)


def _noise(size: int, scale: float = 0.02, seed: int = 0) -> list[float]:
    return [float(value) for value in scale * np.random.default_rng(seed).normal(size=size)]


def _around(level: float, size: int = 60, seed: int = 0) -> list[float]:
    return [level + noise for noise in _noise(size, seed=seed)]


def _series(
    judged: Sequence[float],
    loss: Sequence[float] | None = None,
    *,
    spread: float = 0.5,
    motion: float = 0.1,
    gain: float = 0.5,
    chance: float = CHANCE,
    stretch: float = 1.0,
) -> Series:
    losses = list(loss) if loss is not None else [value * CHANCE for value in judged]
    steps = len(judged)
    drawn = [gain + np.random.default_rng(step).normal(size=16) for step in range(steps)]
    return Series(
        chance,
        stretch,
        judged=list(judged),
        loss=losses,
        spread=[spread] * steps,
        motion=[motion] * steps,
        gains=drawn,
    )


FALLING = [math.exp(-0.06 * step) for step in range(60)]
AT_CHANCE = _around(1.0)


def test_a_falling_loss_that_depends_on_the_input_is_learnt() -> None:
    assert final_verdict(_series(FALLING), 0.2, gain=1.0, gain_error=0.05) == "learnt"


def test_a_low_loss_without_information_is_not_learnt() -> None:
    """A zeroed input would do as well: the gain over the average prediction is within its error."""
    assert final_verdict(_series(AT_CHANCE), 0.4, gain=0.02, gain_error=0.02) == "stuck"


def test_a_loss_at_chance_is_stuck() -> None:
    assert final_verdict(_series(AT_CHANCE), 1.0, gain=0.0, gain_error=0.01) == "stuck"


def test_what_the_output_bias_learns_of_unused_classes_is_not_learning() -> None:
    """The data loss falls from ln 160 to ln 5; over the used classes nothing happened."""
    transient = [CHANCE + (math.log(160) - CHANCE) * math.exp(-0.3 * step) for step in range(60)]
    series = _series(AT_CHANCE, transient)

    assert not judgement.clearly_learnt(series)
    assert not judgement.progressing(series)
    assert final_verdict(series, 1.0, gain=0.001, gain_error=0.01) == "stuck"


def test_what_is_lost_again_is_not_on_its_way() -> None:
    """A penalty that is too strong: the loss falls at first, then rises towards chance."""
    there_and_back = [
        1 - 0.3 * math.sin(math.pi * step / 75) + noise for step, noise in enumerate(_noise(60))
    ]
    half_of_it = there_and_back[:35]

    assert final_verdict(_series(there_and_back), 0.82, gain=0.2, gain_error=0.02) == "stuck"
    assert final_verdict(_series(half_of_it), 0.72, gain=0.2, gain_error=0.02) == "slow"


def test_a_steady_but_slow_fall_is_slow_and_is_extrapolated() -> None:
    judged = [1 - 0.004 * step + noise for step, noise in enumerate(_noise(60))]

    assert final_verdict(_series(judged), 0.76, gain=0.3, gain_error=0.02) == "slow"
    found = judgement.extrapolated_steps(judged)
    assert found is not None
    best, early, late = found
    assert early < best < late
    assert best == pytest.approx(125, rel=0.15)


@pytest.mark.parametrize("seed", range(20))
def test_noise_at_chance_is_not_slow(seed: int) -> None:
    series = _series(_around(1.0, seed=seed))

    assert final_verdict(series, 1.0, gain=0.05, gain_error=0.01) == "stuck"


def test_a_flat_series_is_not_extrapolated() -> None:
    assert judgement.extrapolated_steps(AT_CHANCE) is None
    assert judgement.extrapolated_steps([1.0, 0.9]) is None


def test_a_rising_loss_over_the_bound_has_diverged() -> None:
    rising = [CHANCE * 1.2**step for step in range(40)]

    assert judgement.diverged(_series([1.0] * 40, rising))
    assert final_verdict(_series([1.0] * 40, rising), 1.0, gain=0.0, gain_error=0.01) == "diverged"


@pytest.mark.parametrize("last", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_has_diverged(last: float) -> None:
    assert judgement.diverged(_series([1.0] * 3, [CHANCE, CHANCE, last]))


def test_one_exploded_loss_is_enough() -> None:
    assert judgement.diverged(_series([1.0, 1.0], [CHANCE, 2000 * CHANCE]))
    assert not judgement.diverged(_series([1.0, 1.0], [CHANCE, 20 * CHANCE]))


def test_a_high_loss_that_comes_down_again_has_not_diverged() -> None:
    overshoot = [CHANCE, *[40 * CHANCE * 0.9**step for step in range(40)]]

    assert not judgement.diverged(_series([1.0] * 41, overshoot))


def test_a_final_loss_that_is_not_a_number_has_diverged() -> None:
    assert final_verdict(_series(AT_CHANCE), math.nan, gain=math.nan, gain_error=0.01) == "diverged"


def test_a_task_that_was_learnt_and_lost_is_unstable() -> None:
    judged = [*FALLING[:30], *_around(1.0, 30)]

    assert final_verdict(_series(judged), 1.0, gain=0.0, gain_error=0.01) == "unstable"


def test_a_run_stops_early_only_when_the_case_is_clear() -> None:
    assert judgement.clearly_learnt(_series([0.25] * 4))
    assert not judgement.clearly_learnt(_series([0.1] * 3))
    assert not judgement.clearly_learnt(_series([1.0, 0.1, 0.1, 0.1]))


def test_a_constant_output_without_gradient_is_dead() -> None:
    assert judgement.dead(_series([1.0] * 16, spread=0.0, motion=0.0))
    assert not judgement.dead(_series([1.0] * 15, spread=0.0, motion=0.0))
    assert not judgement.dead(_series([1.0] * 16, spread=0.0, motion=1e-6))
    assert not judgement.dead(_series([1.0] * 16, spread=0.01, motion=0.0))


def test_a_longer_run_waits_longer_before_it_is_given_up() -> None:
    enough = judgement.EARLIEST_SURRENDER
    for stretch in (1, 4):
        for steps, given_up in ((enough * stretch, True), (enough * stretch - 1, False)):
            silent = _series([1.0] * steps, gain=0.0, stretch=stretch)
            assert judgement.uninformed(silent) == given_up
    assert judgement.dead(_series([1.0] * 64, spread=0.0, motion=0.0, stretch=4))
    assert not judgement.dead(_series([1.0] * 63, spread=0.0, motion=0.0, stretch=4))


def test_outputs_that_still_say_nothing_are_given_up() -> None:
    enough = judgement.EARLIEST_SURRENDER

    assert judgement.uninformed(_series([1.0] * enough, gain=0.0))
    assert not judgement.uninformed(_series([1.0] * (enough - 1), gain=0.0))
    assert not judgement.uninformed(_series([1.0] * enough, gain=0.5))


def test_a_constant_output_says_nothing() -> None:
    series = _series([1.0] * judgement.EARLIEST_SURRENDER)
    series.gains[:] = [np.zeros(16)] * len(series.gains)
    assert judgement.uninformed(series)


def _silent(first: list[float], moves: float) -> judgement.Series:
    """A run that says nothing, with the first layer's gradients and the hidden layers' movement."""
    steps = len(first)
    gains = [np.zeros(16)] * steps
    return judgement.Series(
        1.6, judged=[1.0] * steps, loss=[1.6] * steps, gains=gains, first=first, moves=[moves] * steps
    )


def test_a_live_plateau_is_not_given_up() -> None:
    enough = judgement.EARLIEST_SURRENDER
    plateau = _silent([0.02] * enough, 1e-3)
    assert not judgement.hopeless(plateau)
    assert judgement.undecided(plateau, patient=True)
    assert not judgement.undecided(plateau, patient=False)


def test_a_network_whose_gradient_dies_away_is_given_up() -> None:
    enough = judgement.EARLIEST_SURRENDER
    dying = _silent([0.02] * 8 + [2e-4] * (enough - 8), 1e-3)
    assert judgement.hopeless(dying)
    assert not judgement.undecided(dying, patient=True)


def test_a_network_that_does_not_move_is_given_up() -> None:
    still = _silent([0.02] * judgement.EARLIEST_SURRENDER, 1e-7)
    assert judgement.hopeless(still)
    assert not judgement.undecided(still, patient=True)


def test_only_a_significant_fall_below_chance_earns_more_steps() -> None:
    falling = [1 - 0.004 * step + noise for step, noise in enumerate(_noise(60))]

    assert judgement.progressing(_series(falling))
    assert not judgement.progressing(_series([value + 0.3 for value in falling]))
    assert not judgement.progressing(_series(falling[:6]))
    assert not judgement.progressing(_series(_around(0.7)))


def test_slope_is_that_of_least_squares() -> None:
    values = np.array([1 - 0.01 * step + noise for step, noise in enumerate(_noise(40))])
    (slope, _), covariance = np.polyfit(np.arange(40), values, 1, cov=True)

    found, error = judgement.slope_of(values.tolist())

    assert found == pytest.approx(slope)
    assert error == pytest.approx(math.sqrt(covariance[0, 0]))


def test_a_slope_of_two_points_is_not_known() -> None:
    assert judgement.slope_of([1.0, 0.0]) == (0.0, math.inf)

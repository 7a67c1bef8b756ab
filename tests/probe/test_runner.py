"""Whole runs of tiny networks: verdicts, repetition, which weights they start from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.probe import judgement
from analyzers.probe.evidence import MEMORIZED, Run
from analyzers.probe.judgement import LEARNT
from analyzers.probe.runner import EVALUATION, EVALUATION_BATCHES, EXTENSION, Trial
from analyzers.probe.watch import OutOfTimeError
from analyzers.spec import ModelSpec
from tests.probe.models import CLASSES, compiled, normalized, plain, setting, trial_of, watch
from tests.support import spec_of

SAVED = 7.0


def tuned() -> keras.Model:
    """A frozen convolution and normalisation with saved values of their own, and a trainable rest."""
    model = normalized()
    for name in ("conv1", "norm1"):
        model.get_layer(name).trainable = False
    for name in ("conv1", "norm1", "conv2"):
        layer = model.get_layer(name)
        layer.set_weights([np.full_like(value, SAVED) for value in layer.get_weights()])
    return compiled(model)


def constant() -> keras.Model:
    """A ReLU whose bias lets nothing through, whatever comes in."""
    inputs = keras.Input((8, 8, 3), name="image")
    shut = keras.initializers.Constant(-50.0)
    x = layers.Conv2D(4, 3, activation="relu", bias_initializer=shut, name="shut")(inputs)
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    x = layers.Flatten(name="flatten")(x)
    return compiled(keras.Model(inputs, layers.Dense(CLASSES, activation="softmax", name="head")(x)))


Specs = Mapping[str, ModelSpec]


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> Specs:
    folder = tmp_path_factory.mktemp("runner")
    return {make.__name__: spec_of(make(), folder) for make in (normalized, plain, tuned, constant)}


@pytest.fixture(scope="module")
def healthy(specs: Specs) -> Trial:
    return trial_of(specs["normalized"])


@pytest.fixture(scope="module")
def plainly(specs: Specs) -> Trial:
    return trial_of(specs["plain"])


def test_a_healthy_network_learns_from_every_seed(healthy: Trial) -> None:
    for seed in (1, 2):
        run = healthy.run(setting(seed=seed, steps=60), watch())
        assert run.verdict == "learnt"
        assert run.normalized_loss < 0.5
        assert run.end.accuracy > 2 / CLASSES
        assert run.end.information_gain > 3 * run.end.information_gain_error
        assert run.end.output_spread > 0.05


def test_a_run_is_recorded_step_by_step_and_layer_by_layer(healthy: Trial) -> None:
    run = healthy.run(setting(steps=5, extend=False), watch())

    assert len(run.loss) == len(run.judged) == len(run.accuracy) == len(run.regularization) == 5
    assert list(run.gradient_norms) == ["conv1", "norm1", "conv2", "norm2", "head"]
    assert all(len(series) == 5 for series in run.gradient_norms.values())
    assert run.gradient_norms.keys() == run.weight_norms.keys() == run.update_ratios.keys()
    assert list(run.start.dead_fraction) == ["relu1", "relu2"]
    assert run.start.training_loss == run.loss[0]
    assert run.start.activation_rms["norm1"] == pytest.approx(1.0, abs=0.05)


def test_a_network_without_batch_statistics_is_judged_on_every_unseen_sample(plainly: Trial) -> None:
    run = plainly.run(setting(steps=6, extend=False), watch())

    unseen = [plainly.targets.task(run.seed).batch(plainly.plan.batch, run.input_scale, EVALUATION + i)
              for i in range(EVALUATION_BATCHES)]  # fmt: skip
    judged = [float(plainly.compiled.infer(batch)["judged"][0]) for batch in unseen]
    assert run.normalized_loss == pytest.approx(np.mean(judged), rel=1e-5)
    assert np.ptp(judged) > 0


def test_adams_first_steps_move_every_weight_by_about_the_rate(healthy: Trial) -> None:
    run = healthy.run(setting(steps=1, learning_rate=1e-3), watch())
    kernel = healthy.built.layers["head"].kernel
    moved = 1e-3 * math.sqrt(np.prod(kernel.shape) + CLASSES)
    assert run.update_ratios["head"][0] == pytest.approx(moved / run.weight_norms["head"], rel=0.02)


def test_an_absurd_rate_is_stuck_or_diverges(plainly: Trial) -> None:
    for rate in (1.0, 1e4):
        assert plainly.run(setting(learning_rate=rate), watch()).verdict in ("stuck", "diverged")


def test_a_dead_network_is_stuck_and_given_up_early(specs: Specs) -> None:
    run = trial_of(specs["constant"]).run(setting(steps=60), watch())

    assert run.verdict == "stuck"
    assert len(run.loss) < 60
    assert run.start.dead_fraction["shut"] == 1.0
    assert run.end.output_spread == pytest.approx(0.0, abs=1e-5)
    assert run.end.information_gain == pytest.approx(0.0, abs=1e-4)
    assert run.normalized_loss == pytest.approx(1.0, abs=0.1)


def test_inference_is_judged_with_statistics_of_its_own(healthy: Trial) -> None:
    """After forty steps the moving statistics lag far behind; recalibrated ones do not."""
    end = healthy.run(setting(steps=40, extend=False), watch()).end

    assert abs(end.recalibrated_loss - end.training_loss) < abs(end.inference_loss - end.training_loss)


def test_the_same_seed_gives_the_same_run_bit_by_bit(healthy: Trial, specs: Specs) -> None:
    def run(trial: Trial, seed: int) -> object:
        return asdict(trial.run(setting(seed=seed, steps=6, extend=False), watch()))

    first = run(healthy, 3)
    assert run(healthy, 4) != first
    assert run(healthy, 3) == first
    assert run(trial_of(specs["normalized"]), 3) == first


def test_every_run_of_a_trial_is_on_one_compiled_graph(healthy: Trial) -> None:
    for scale in ("raw", "0-1"):
        healthy.run(setting(steps=2, extend=False, scale=scale, learning_rate=0.1), watch())

    assert healthy.compiled._step.experimental_get_tracing_count() == 1
    assert healthy.compiled._infer.experimental_get_tracing_count() == 1


def _all_saved(trial: Trial, path: str) -> bool:
    return all(np.all(value == SAVED) for value in trial.built.layers[path].get_weights())


def test_frozen_layers_keep_saved_weights_in_fresh_runs(specs: Specs) -> None:
    trial = trial_of(specs["tuned"])
    trial.run(setting(weights="fresh", steps=2, extend=False), watch())

    assert trial.compiled.trained_layers == ("conv2", "norm2", "head")
    assert _all_saved(trial, "conv1")
    assert _all_saved(trial, "norm1")
    assert not np.any(np.array(trial.built.layers["conv2"].kernel) == SAVED)


def test_saved_weights_are_where_a_saved_run_starts(specs: Specs) -> None:
    trial = trial_of(specs["tuned"])
    run = trial.run(setting(weights="saved", steps=1, extend=False), watch())
    kernel = trial.built.layers["conv2"].kernel
    assert run.weight_norms["conv2"] == pytest.approx(SAVED * math.sqrt(np.prod(kernel.shape)))


def test_weights_that_an_intervention_threw_away_are_drawn_anew(specs: Specs) -> None:
    for fresh in (frozenset({"conv2"}), frozenset({"*"})):
        trial = trial_of(specs["tuned"], fresh)
        run = trial.run(setting(weights="saved", steps=1, extend=False), watch())
        assert run.weight_norms["conv2"] < 10
        assert _all_saved(trial, "conv1")


def test_a_slow_run_is_given_more_steps_unless_it_may_not(plainly: Trial) -> None:
    slow = setting(learning_rate=1e-3, steps=30)
    run = plainly.run(slow, watch())
    assert 30 < len(run.loss) <= EXTENSION * 30
    assert len(plainly.run(replace(slow, extend=False), watch()).loss) == 30


def test_a_warmed_run_starts_with_small_steps_and_leaves_no_trace(healthy: Trial) -> None:
    def run(**changes: Any) -> Run:
        return healthy.run(setting(steps=10, extend=False, **changes), watch())

    plainly, warmed, again = run(), run(warmed=True), run()

    moved, moved_warmed = (np.array(one.update_ratios["conv1"]) for one in (plainly, warmed))
    assert moved_warmed[0] == pytest.approx(moved[0] / 6, rel=0.02)
    assert (moved_warmed[1:5] > 1.2 * moved_warmed[0]).all()
    assert float(healthy.compiled.optimizer.learning_rate) == pytest.approx(0.0)
    assert (plainly.warmed, warmed.warmed) == (False, True)
    assert asdict(again) == asdict(plainly)


def test_the_deadline_ends_a_run(healthy: Trial) -> None:
    with pytest.raises(OutOfTimeError):
        healthy.run(setting(), watch(seconds=-1))


def test_a_batch_that_is_shown_again_and_again_is_learnt_by_heart(healthy: Trial) -> None:
    run = healthy.run(setting(seed=1, steps=120, samples="same"), watch())
    assert run.judged[-1] < MEMORIZED <= min(run.judged[:-1])


def test_without_an_input_that_tells_the_loss_rests_at_chance(healthy: Trial) -> None:
    run = healthy.run(setting(seed=1, steps=40, samples="blind", extend=False), watch())
    assert len(run.judged) == 40
    assert min(run.judged[-10:]) > 0.8


def test_a_run_that_has_to_last_goes_on_once_the_task_is_learnt(healthy: Trial) -> None:
    run = healthy.run(setting(seed=1, steps=60, lasting=True, extend=False), watch())
    assert (run.verdict, len(run.loss)) == ("learnt", 60)
    assert len(healthy.run(setting(seed=1, steps=60), watch()).loss) < 60


def _idle_second_output() -> keras.Model:
    """Two outputs, the second of which no gradient reaches."""
    inputs = keras.Input((12, 12, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="conv")(inputs)
    x = layers.Flatten(name="flatten")(x)
    first = layers.Dense(CLASSES, activation="softmax", name="first")(x)
    second = layers.Dense(CLASSES, activation="softmax", name="second")(x)
    model = keras.Model(inputs, [first, second], name="two")
    model.compile(keras.optimizers.Adam(3e-3), ["categorical_crossentropy"] * 2, loss_weights=[1.0, 0.0])
    return model


def test_of_several_outputs_the_worst_that_counts_decides(tmp_path: Path) -> None:
    trial = trial_of(spec_of(_idle_second_output(), tmp_path))
    both = trial.run(setting(), watch())
    first = replace(trial, targets=replace(trial.targets, set_aside=frozenset({1}))).run(setting(), watch())

    assert both.verdict == "stuck"
    assert both.by_output["first"] < LEARNT < both.by_output["second"] == both.normalized_loss
    assert both.judged[-1] > LEARNT
    assert first.verdict == "learnt"
    assert first.by_output == {}


def test_what_the_first_weights_happen_to_tell_was_not_learnt(
    plainly: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run called slow in which no weight has moved is stuck; one that moves by next to nothing is slow."""
    monkeypatch.setattr(judgement, "final_verdict", lambda *_: "slow")
    at = {rate: plainly.run(setting(learning_rate=rate, steps=4), watch()).verdict for rate in (0.0, 1e-4)}
    assert at == {0.0: "stuck", 1e-4: "slow"}

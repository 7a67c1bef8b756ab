"""Every instrument against a slow computation in plain NumPy."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from analyzers.probe.instruments import activations, gradients, outputs
from analyzers.probe.instruments.outputs import OutputKind
from analyzers.spec import Array, ObjectSpec

USED = np.array([1, 4, 6])


def _draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _number(value: Any) -> float:
    return float(ops.convert_to_numpy(value))


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5, 2), (2, 3, 2, 2, 2)])
def test_scale_is_the_mean_square_and_the_variance_of_all_values(shape: tuple[int, ...]) -> None:
    values = 3 + 2 * _draw(*shape)
    flat = [float(value) for value in values.ravel()]
    mean = sum(flat) / len(flat)

    found = ops.convert_to_numpy(activations.scale(values))

    assert found[0] == pytest.approx(sum(value**2 for value in flat) / len(flat), rel=1e-5)
    assert found[1] == pytest.approx(sum((value - mean) ** 2 for value in flat) / len(flat), rel=1e-5)


@pytest.mark.parametrize("axis", [-1, 1])
def test_a_unit_is_dead_when_no_sample_and_position_is_positive(axis: int) -> None:
    channels_last = np.maximum(_draw(4, 3, 3, 6), 0)
    channels_last[..., [1, 4]] = 0
    channels_last[0, 0, 0, 4] = 1e-6
    values = channels_last if axis == -1 else np.moveaxis(channels_last, -1, 1)

    dead = [not any(value > 0 for value in channels_last[..., unit].ravel()) for unit in range(6)]

    assert sum(dead) == 1
    assert _number(activations.dead_fraction(values, axis)) == pytest.approx(sum(dead) / 6)


def test_a_dense_layer_of_dead_units_only_is_wholly_dead() -> None:
    assert _number(activations.dead_fraction(np.zeros((4, 7), np.float32))) == 1.0


def test_sums_of_squares_add_up_to_the_norm_over_several_tensors() -> None:
    tensors = [_draw(3, 3, 2, 4), _draw(4, seed=1)]
    joined = np.concatenate([tensor.ravel() for tensor in tensors]).astype(np.float64)

    total = sum(_number(gradients.sum_of_squares(tensor)) for tensor in tensors)

    assert math.sqrt(total) == pytest.approx(float(np.sqrt((joined**2).sum())), rel=1e-6)


def test_a_missing_gradient_counts_as_zero() -> None:
    assert _number(gradients.sum_of_squares(None)) == 0.0


def _softmax(values: list[float]) -> list[float]:
    exponentials = [math.exp(value - max(values)) for value in values]
    return [value / sum(exponentials) for value in exponentials]


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_logits_become_probabilities_over_the_used_classes_only() -> None:
    logits = 3 * _draw(5, 8)

    found = ops.convert_to_numpy(outputs.class_probabilities(logits, "logits", USED))

    for row, expected in zip(found, logits[:, USED].tolist(), strict=True):
        assert row == pytest.approx(_softmax(expected), rel=1e-4)


def test_probabilities_are_renormalised_over_the_used_classes() -> None:
    rows = np.array([_softmax(row) for row in (2 * _draw(5, 8)).tolist()], np.float32)

    found = ops.convert_to_numpy(outputs.class_probabilities(rows, "probabilities", USED))

    for row, whole in zip(found, rows.tolist(), strict=True):
        total = sum(whole[unit] for unit in USED)
        assert row == pytest.approx([whole[unit] / total for unit in USED], rel=1e-4)


@pytest.mark.parametrize("kept", [True, False])
def test_a_narrowed_softmax_is_that_of_the_used_logits(kept: bool) -> None:
    logits = 3 * _draw(5, 8)
    whole = keras.activations.softmax(ops.convert_to_tensor(logits))
    given = whole if kept else ops.convert_to_tensor(ops.convert_to_numpy(whole))

    found = ops.convert_to_numpy(outputs.narrowed(given, "probabilities", USED))

    for row, expected in zip(found, logits[:, USED].tolist(), strict=True):
        assert row == pytest.approx(_softmax(expected), rel=1e-4)


def test_a_narrowed_softmax_does_not_saturate_with_the_whole_one() -> None:
    """Where another unit takes all the probability, the used ones still have a gradient."""
    logits = ops.convert_to_tensor(np.array([[200.0, 0.0, 1.0, 2.0]], np.float32))
    found = ops.convert_to_numpy(
        outputs.narrowed(keras.activations.softmax(logits), "probabilities", [1, 2, 3])
    )
    assert found[0] == pytest.approx(_softmax([0.0, 1.0, 2.0]), rel=1e-4)


def test_narrowed_logits_are_the_used_ones() -> None:
    logits = _draw(5, 8)
    found = ops.convert_to_numpy(outputs.narrowed(logits, "logits", USED))
    np.testing.assert_array_equal(found, logits[:, USED])


@pytest.mark.parametrize("kind", ["binary-logit", "binary-probability"])
def test_a_single_unit_speaks_for_the_second_class(kind: OutputKind) -> None:
    logits = _draw(6, 1)
    expected = [_sigmoid(value) for value in logits[:, 0].tolist()]
    given = logits if kind == "binary-logit" else np.array(expected, np.float32)[:, None]

    found = ops.convert_to_numpy(outputs.class_probabilities(given, kind, np.arange(2)))

    assert found[:, 1] == pytest.approx(expected, rel=1e-5)
    assert found.sum(axis=-1) == pytest.approx(1.0)


def test_what_the_output_bias_learns_of_unused_classes_changes_nothing() -> None:
    """From ln 160 to ln 5 through the bias alone is not learning: over the used classes it is ln 5."""
    before, after = np.zeros((4, 160), np.float32), np.full((4, 160), -30, np.float32)
    used = np.arange(0, 160, 32)
    after[:, used] = 0

    for logits in (before, after):
        found = ops.convert_to_numpy(outputs.class_probabilities(logits, "logits", used))
        assert -np.log(found) == pytest.approx(np.full((4, 5), math.log(5)), rel=1e-5)


def test_spread_is_the_deviation_over_samples_relative_to_the_logits() -> None:
    logits = 1 + _draw(6, 4)
    columns = logits.T.astype(np.float64).tolist()
    deviations = [math.sqrt(sum((v - sum(c) / 6) ** 2 for v in c) / 6) for c in columns]
    root = math.sqrt(sum(v**2 for c in columns for v in c) / 24)

    found = _number(outputs.spread(logits, "logits"))

    assert found == pytest.approx(sum(deviations) / 4 / root, rel=1e-4)


def test_spread_takes_probabilities_back_to_logits() -> None:
    rows = np.array([_softmax(row) for row in _draw(6, 4).tolist()], np.float32)

    found = _number(outputs.spread(rows, "probabilities"))

    assert found == pytest.approx(_number(outputs.spread(np.log(rows), "logits")), rel=1e-4)


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_a_constant_output_has_no_spread(kind: OutputKind) -> None:
    rows = np.repeat(np.array([[0.7, 0.2, 0.1]], np.float32), 5, axis=0)

    assert _number(outputs.spread(rows, kind)) == pytest.approx(0.0, abs=1e-6)


def _gains(probabilities: Array, labels: Array) -> Array:
    rows = probabilities.astype(np.float32)
    return np.asarray(ops.convert_to_numpy(outputs.gains_of_classes(rows, labels)))


def test_information_gain_is_the_mean_gain_over_the_average_prediction() -> None:
    rows = np.array([_softmax(row) for row in _draw(12, 3).tolist()])
    labels = np.arange(12) % 3
    average = [sum(row[k] for row in rows) / 12 for k in range(3)]
    gains = [math.log(row[label] / average[label]) for row, label in zip(rows, labels, strict=True)]
    mean = sum(gains) / 12

    gain, error = outputs.pooled(_gains(rows, labels))

    assert gain == pytest.approx(mean, abs=1e-5)
    assert error == pytest.approx(math.sqrt(sum((g - mean) ** 2 for g in gains) / 12 / 12), abs=1e-5)


def test_information_gain_is_nothing_for_a_constant_and_all_for_a_perfect_output() -> None:
    labels = np.arange(20) % 4
    constant = np.repeat([[0.4, 0.3, 0.2, 0.1]], 20, axis=0)

    assert _gains(constant, labels) == pytest.approx(np.zeros(20), abs=1e-6)
    assert _gains(np.eye(4)[labels], labels) == pytest.approx(np.full(20, math.log(4)), abs=1e-4)


def test_gains_of_maps_are_averaged_over_positions() -> None:
    rows = np.array([_softmax(row) for row in _draw(24, 3).tolist()]).reshape(4, 3, 2, 3)
    labels = np.random.default_rng(0).integers(3, size=(4, 3, 2))
    average = np.repeat(rows.mean(axis=0, keepdims=True), 4, axis=0)
    expected = np.zeros((4, 3, 2))
    for place in np.ndindex(4, 3, 2):
        expected[place] = math.log(rows[place][labels[place]] / average[place][labels[place]])

    assert _gains(rows, labels) == pytest.approx(expected.mean(axis=(1, 2)), abs=1e-5)


def test_gains_of_numbers_are_those_of_a_normal_density() -> None:
    predictions, answers = _draw(6, 2), _draw(6, 2, seed=1)
    average = predictions.mean(axis=0)
    expected = ((answers - average) ** 2 - (answers - predictions) ** 2).mean(axis=1) / (2 * 0.7)

    found = ops.convert_to_numpy(outputs.gains_of_values(predictions, answers, 0.7))

    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_perfect_numbers_gain_half_a_nat_and_constants_nothing() -> None:
    answers = _draw(400, 1)
    variance = float(answers.var())
    perfect, constant = (
        ops.convert_to_numpy(outputs.gains_of_values(given, answers, variance)).mean()
        for given in (answers, np.full_like(answers, 3.0))
    )
    assert perfect == pytest.approx(0.5, rel=1e-3)
    assert constant == pytest.approx(0.0, abs=1e-6)


def test_logits_of_numbers_are_read_as_numbers_from_0_to_1() -> None:
    logits = _draw(4, 2)
    found = ops.convert_to_numpy(
        outputs.numbers(logits, logits, ObjectSpec("BinaryCrossentropy", {"from_logits": True}))
    )
    assert found == pytest.approx(np.vectorize(_sigmoid)(logits), rel=1e-5)


def test_only_directions_are_read_where_only_they_count() -> None:
    answers, cosine = _draw(6, 3), ObjectSpec("CosineSimilarity")
    found = ops.convert_to_numpy(outputs.numbers(0.01 * answers, answers, cosine))
    other = ops.convert_to_numpy(outputs.numbers(_draw(6, 3, seed=1), answers, cosine))
    assert found == pytest.approx(answers, rel=1e-4)
    assert np.linalg.norm(other, axis=1) == pytest.approx(np.linalg.norm(answers, axis=1), rel=1e-4)


def test_other_numbers_are_read_as_they_are() -> None:
    given = _draw(4, 2)
    assert outputs.numbers(given, _draw(4, 2, seed=1), ObjectSpec("MeanSquaredError")) is given

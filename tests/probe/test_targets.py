"""Chance and floor of the loss in use, and which units occur in the labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analyzers.building import make_loss
from analyzers.options import Options
from analyzers.probe.compiled import CompiledModel
from analyzers.probe.feeds import feeds_of
from analyzers.probe.heads import untrained
from analyzers.probe.targets import Targets, make_targets
from analyzers.spec import Array, Json, ModelSpec, ObjectSpec, TensorRef
from analyzers.spec.graph import Graph
from tests.probe.graphs import CATEGORICAL, Layer, chain, classifier, training

BINARY = ObjectSpec("BinaryCrossentropy")


def _made(spec: ModelSpec, seed: int = 0) -> Targets:
    return make_targets(spec, feeds_of(Graph(spec)), Options(seed=seed), "standardized")


def _targets(units: int, activation: str, kind: str, config: Mapping[str, Json] | None = None) -> Targets:
    return _made(classifier(units, activation, training(ObjectSpec(kind, config or {}))))


def _entropy(*shares: float) -> float:
    return -sum(share * math.log(share) for share in shares)


@pytest.mark.parametrize(
    ("activation", "kind", "config"),
    [
        ("softmax", "CategoricalCrossentropy", {}),
        ("softmax", "SparseCategoricalCrossentropy", {}),
        ("linear", "CategoricalCrossentropy", {"from_logits": True}),
        ("linear", "SparseCategoricalCrossentropy", {"from_logits": True}),
        ("softmax", "KLDivergence", {}),
    ],
)
@pytest.mark.parametrize("units", [3, 5, 160])
def test_chance_is_the_entropy_of_the_labels_however_many_units_there_are(
    activation: str, kind: str, config: dict[str, Json], units: int
) -> None:
    found = _targets(units, activation, kind, config)
    assert found.classes == min(units, 5)
    assert found.chance == pytest.approx(math.log(found.classes), rel=1e-3)
    assert found.floor == pytest.approx(0.0, abs=1e-3)


def test_label_smoothing_raises_the_floor() -> None:
    found = _targets(5, "softmax", "CategoricalCrossentropy", {"label_smoothing": 0.1})
    assert found.floor == pytest.approx(_entropy(0.92, 0.02, 0.02, 0.02, 0.02), rel=1e-3)
    assert found.floor == pytest.approx(0.39, abs=0.005)
    assert found.chance == pytest.approx(math.log(5), rel=1e-3)


@pytest.mark.parametrize(("activation", "config"), [("sigmoid", {}), ("linear", {"from_logits": True})])
def test_one_unit_chance_is_ln_2(activation: str, config: dict[str, Json]) -> None:
    found = _targets(1, activation, "BinaryCrossentropy", config)
    assert found.classes == 2
    assert found.used[0].tolist() == [0, 1]
    assert found.chance == pytest.approx(math.log(2), rel=1e-3)
    assert found.floor == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(("activation", "config"), [("sigmoid", {}), ("linear", {"from_logits": True})])
def test_chance_of_sigmoids_is_the_entropy_of_each_unit(activation: str, config: dict[str, Json]) -> None:
    found = _targets(10, activation, "BinaryCrossentropy", config)
    assert found.chance == pytest.approx(5 * _entropy(0.2, 0.8) / 10, rel=1e-3)


def test_chance_of_squared_error_is_the_variance() -> None:
    assert _targets(5, "softmax", "MeanSquaredError").chance == pytest.approx(0.2 * 0.8, rel=1e-3)


def test_chance_of_absolute_error_is_that_of_the_median() -> None:
    assert _targets(5, "sigmoid", "MeanAbsoluteError").chance == pytest.approx(0.2, rel=1e-3)


def test_chance_of_hinge_is_that_of_always_saying_no() -> None:
    found = _targets(5, "linear", "Hinge")
    assert found.chance == pytest.approx(2 / 5, rel=1e-3)
    assert found.floor == pytest.approx(0.0, abs=1e-3)


def test_units_in_use_are_drawn_once_from_the_seed() -> None:
    spec = classifier(160, "softmax", training())
    used = [_made(spec, seed).used[0] for seed in (0, 0, 1)]
    assert used[0].tolist() == used[1].tolist() != used[2].tolist()
    assert used[0].tolist() == sorted(set(used[0].tolist()))
    assert 0 <= used[0].min() <= used[0].max() < 160


def test_several_outputs_share_the_classes_and_their_losses_add_up() -> None:
    spec = classifier(10, "softmax")
    trained = replace(training(), losses=(CATEGORICAL, CATEGORICAL), loss_weights=(1.0, 0.5))
    second = replace(spec.layer("head"), name="second", path="second")
    both = replace(
        spec, layers=(*spec.layers, second), outputs=(*spec.outputs, TensorRef("second")), training=trained
    )

    found = _made(both)

    assert found.classes == 5
    assert [head.index for head in found.heads] == [0, 1]
    assert [len(used) for used in found.used] == [5, 5]
    assert found.chance == pytest.approx(1.5 * math.log(5), rel=1e-3)


def _outputs_of_ten_and_of_two() -> ModelSpec:
    spec = classifier(10, "softmax")
    head = replace(spec.layer("head"), name="second", path="second")
    second = replace(head, config={"units": 1, "activation": "sigmoid"})
    return replace(
        spec,
        layers=(*spec.layers, second),
        outputs=(*spec.outputs, TensorRef("second")),
        training=replace(training(), losses=(CATEGORICAL, BINARY)),
    )


def test_outputs_with_different_numbers_of_classes_are_all_trained() -> None:
    found = _made(_outputs_of_ten_and_of_two())

    assert [(head.index, head.classes) for head in found.heads] == [(0, 5), (1, 2)]
    assert found.classes == 5
    grouped = _entropy(0.4, 0.6)
    assert found.chance == pytest.approx(math.log(5) + grouped, rel=1e-3)
    assert [grade.entropy for grade in found.grades] == pytest.approx([math.log(5), grouped], rel=1e-3)


def test_an_output_of_fewer_classes_is_asked_for_groups_of_them() -> None:
    labels, groups = _made(_outputs_of_ten_and_of_two()).task(0).answers(50, "standardized", 0)
    members = {group: set(labels[groups == group].tolist()) for group in (0, 1)}
    assert members[0] | members[1] == set(range(5))
    assert not members[0] & members[1]


def _numbers(units: int, loss: str, activation: str = "linear") -> Targets:
    head: Layer = ("head", "Dense", {"units": units, "activation": activation})
    return _made(chain([head], (None, 9), training(ObjectSpec(loss))))


def _answers(targets: Targets) -> Array:
    """Those from which chance is computed."""
    (answers,) = targets.task(0).answers(480, "standardized", 0)
    return answers


def _graded(targets: Targets, output: Array) -> Mapping[str, Any]:
    """What an output is worth for these answers."""
    (head,), (grade,) = targets.heads, targets.grades
    return CompiledModel._of_numbers(
        output.astype(np.float32), _answers(targets), head, grade, make_loss(head.loss)
    )


def _judged(targets: Targets, output: Array) -> float:
    """Normalised loss of an output for these answers."""
    return float(_graded(targets, output)["judged"])


NUMBERS = (
    ("MeanSquaredError", "linear"),
    ("MeanAbsoluteError", "linear"),
    ("Huber", "linear"),
    ("LogCosh", "linear"),
    ("MeanSquaredError", "tanh"),
    ("MeanSquaredError", "relu"),
    ("MeanAbsolutePercentageError", "linear"),
    ("MeanSquaredLogarithmicError", "linear"),
    ("Poisson", "exponential"),
)


@pytest.mark.parametrize(("loss", "activation"), NUMBERS)
def test_no_constant_is_judged_better_than_1_and_the_answers_themselves_are_0(
    loss: str, activation: str
) -> None:
    targets = _numbers(1, loss, activation)
    answers = _answers(targets)
    constants = np.quantile(answers, np.linspace(0.02, 0.98, 25))

    judged = [_judged(targets, np.full_like(answers, constant)) for constant in constants]

    assert _judged(targets, answers) == pytest.approx(0.0, abs=1e-4)
    assert min(judged) == pytest.approx(1.0, abs=0.05)
    assert targets.chance > targets.floor
    assert targets.classes == 0


def test_chance_of_numbers_is_that_of_plain_statistics() -> None:
    squared, absolute = _numbers(1, "MeanSquaredError"), _numbers(1, "MeanAbsoluteError")
    answers = _answers(squared)
    assert squared.chance == pytest.approx(answers.var(), rel=1e-4)
    assert squared.grades[0].variance == pytest.approx(answers.var(), rel=1e-4)
    assert absolute.chance == pytest.approx(np.abs(answers - np.median(answers)).mean(), rel=1e-3)
    assert (squared.floor, absolute.floor) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_positive_losses_are_given_positive_numbers() -> None:
    answers = _answers(_numbers(1, "Poisson", "exponential"))
    assert answers.min() > 0
    floor = float((answers - answers * np.log(answers)).mean())
    assert _numbers(1, "Poisson", "exponential").floor == pytest.approx(floor, rel=1e-3)


@pytest.mark.parametrize(("loss", "activation"), [*NUMBERS, ("CosineSimilarity", "linear")])
def test_perfect_numbers_explain_all_variance_and_inform(loss: str, activation: str) -> None:
    units = 3 if loss == "CosineSimilarity" else 1
    targets = _numbers(units, loss, activation)
    found = _graded(targets, _answers(targets))
    assert float(found["accuracy"]) == pytest.approx(1.0, abs=1e-3)
    assert float(np.mean(found["gains"])) == pytest.approx(0.5, abs=0.02)


def test_directions_are_judged_by_their_cosine() -> None:
    targets = _numbers(3, "CosineSimilarity")
    answers = _answers(targets)
    directions = [
        np.broadcast_to(np.array(one, float), answers.shape)
        for one in itertools.product((-1, 0, 1), repeat=3)
    ]
    assert targets.floor == pytest.approx(-1.0, rel=1e-4)
    assert _judged(targets, 7 * answers) == pytest.approx(0.0, abs=1e-4)
    assert min(_judged(targets, one) for one in directions) > 0.85


@pytest.mark.parametrize(("activation", "config"), [("sigmoid", {}), ("linear", {"from_logits": True})])
def test_entropy_on_an_image_that_is_given_back_is_judged_from_its_floor(
    activation: str, config: dict[str, Json]
) -> None:
    layer: Layer = (
        "conv",
        "Conv2D",
        {"filters": 1, "kernel_size": 3, "padding": "same", "activation": activation},
    )
    spec = chain([layer], (None, 8, 8, 1), training(ObjectSpec("BinaryCrossentropy", config)))
    targets = make_targets(spec, feeds_of(Graph(spec)), Options(), "standardized")
    answers = _answers(targets)

    def judged(output: Array) -> float:
        return _judged(targets, np.log(output / (1 - output)) if config else output)

    assert targets.heads[0].mirrors
    assert 0 <= answers.min() < answers.max() <= 1
    assert targets.floor > 0.1
    assert judged(np.clip(answers, 1e-7, 1 - 1e-7)) == pytest.approx(0.0, abs=1e-2)
    mean = np.broadcast_to(answers.mean(axis=0, keepdims=True), answers.shape)
    assert judged(mean) == pytest.approx(1.0, abs=0.02)
    assert judged(np.full_like(answers, answers.mean())) > 0.98


def test_outputs_of_classes_and_of_numbers_are_trained_together() -> None:
    spec = classifier(4, "softmax")
    second = replace(spec.layer("head"), name="value", path="value", config={"units": 1})
    losses = (CATEGORICAL, ObjectSpec("MeanSquaredError"))
    both = replace(
        spec,
        layers=(*spec.layers, second),
        outputs=(*spec.outputs, TensorRef("value")),
        training=replace(training(), losses=losses, loss_weights=(1.0, 0.1)),
    )

    found = _made(both)
    classes, values = found.grades

    assert (found.layout.classes, found.layout.values) == (4, 1)
    assert [classes.entropy, classes.variance] == pytest.approx([math.log(4), 0.0], rel=1e-3)
    assert [values.entropy, values.variance] == pytest.approx([0.0, values.chance], rel=1e-4)
    assert found.chance == pytest.approx(classes.chance + 0.1 * values.chance)


def _two_outputs(**second: Any) -> ModelSpec:
    """A classifier with a second output of ten classes behind the pooling, its layer as ``second`` says."""
    spec = classifier(10, "softmax")
    head = replace(spec.layer("head"), name="second", path="second", **second)
    trained = replace(training(), losses=(CATEGORICAL, CATEGORICAL))
    return replace(
        spec, layers=(*spec.layers, head), outputs=(*spec.outputs, TensorRef("second")), training=trained
    )


def _trained(spec: ModelSpec) -> list[int]:
    return [head.index for head in _made(spec).heads]


def _losses(spec: ModelSpec, *losses: ObjectSpec | None) -> ModelSpec:
    return replace(spec, training=replace(training(), losses=losses))


def test_an_output_without_a_loss_is_trained_only_where_none_has_one() -> None:
    assert _trained(_losses(_two_outputs(), CATEGORICAL, None)) == [0]
    assert _trained(_losses(_two_outputs(), None, CATEGORICAL)) == [1]
    assert _trained(_losses(_two_outputs(), None, None)) == [0, 1]


def test_an_output_with_nothing_to_train_in_front_of_it_is_left_out() -> None:
    spec = _two_outputs()
    pooled = replace(spec, outputs=(spec.outputs[0], TensorRef("conv")))
    frozen = replace(
        pooled,
        layers=tuple(replace(one, trainable=False) if one.name == "conv" else one for one in spec.layers),
    )
    assert _trained(pooled) == [0, 1]
    assert _trained(frozen) == [0]
    assert untrained(Graph(frozen), frozen.training) == {1: "no weight in front of it is trained"}


def test_where_nothing_at_all_is_trained_no_output_is_left_out() -> None:
    spec = _two_outputs()
    frozen = replace(spec, layers=tuple(replace(one, trainable=False) for one in spec.layers))
    assert _trained(frozen) == [0, 1]


def test_a_changed_model_is_asked_at_the_outputs_of_the_original_and_judged_by_the_same() -> None:
    both = _two_outputs()
    asked = replace(_made(both), set_aside=frozenset({1}))
    changed = _losses(both, CATEGORICAL, None)

    found = make_targets(changed, feeds_of(Graph(both)), Options(), "standardized", asked)

    assert [head.index for head in found.heads] == [0, 1]
    assert found.counted == asked.counted == (0,)

"""What an output is trained on: kind, loss, form of the targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.probe.feeds import NotProbedError
from analyzers.probe.heads import TrainedHead, trained_heads
from analyzers.spec import ModelSpec, ObjectSpec, TensorRef
from tests.probe.graphs import Layer, chain, classifier, training


def _head(units: int, activation: str, loss: ObjectSpec | None) -> TrainedHead:
    (head,) = trained_heads(classifier(units, activation, training(loss)))
    return head


def _loss(kind: str, *, from_logits: bool | None = None) -> ObjectSpec:
    return ObjectSpec(kind, {} if from_logits is None else {"from_logits": from_logits})


@pytest.mark.parametrize(
    ("units", "activation", "loss", "kind", "target"),
    [
        (10, "softmax", _loss("CategoricalCrossentropy"), "probabilities", "one-hot"),
        (10, "softmax", _loss("SparseCategoricalCrossentropy"), "probabilities", "index"),
        (10, "linear", _loss("CategoricalCrossentropy", from_logits=True), "logits", "one-hot"),
        (10, "linear", _loss("SparseCategoricalCrossentropy", from_logits=True), "logits", "index"),
        (10, "linear", _loss("CategoricalCrossentropy"), "logits", "one-hot"),
        (10, "sigmoid", _loss("BinaryCrossentropy"), "probabilities", "one-hot"),
        (10, "linear", _loss("BinaryCrossentropy", from_logits=True), "logits", "one-hot"),
        (10, "softmax", _loss("MeanSquaredError"), "probabilities", "one-hot"),
        (10, "linear", _loss("Hinge"), "logits", "signs"),
        (1, "sigmoid", _loss("BinaryCrossentropy"), "binary-probability", "binary"),
        (1, "linear", _loss("BinaryCrossentropy", from_logits=True), "binary-logit", "binary"),
        (1, "linear", _loss("Hinge"), "binary-logit", "signs"),
    ],
)
def test_how_an_output_is_read_follows_from_activation_and_loss(
    units: int, activation: str, loss: ObjectSpec, kind: str, target: str
) -> None:
    head = _head(units, activation, loss)
    assert (head.kind, head.target, head.loss, head.assumed) == (kind, target, loss, None)
    assert head.classes == (2 if units == 1 else 5)


@pytest.mark.parametrize(
    ("units", "activation", "assumed"),
    [
        (10, "softmax", ObjectSpec("CategoricalCrossentropy", {"from_logits": False})),
        (10, "sigmoid", ObjectSpec("BinaryCrossentropy", {"from_logits": False})),
        (1, "sigmoid", ObjectSpec("BinaryCrossentropy", {"from_logits": False})),
        (10, "linear", ObjectSpec("CategoricalCrossentropy", {"from_logits": True})),
        (1, "linear", ObjectSpec("MeanSquaredError", {})),
        (10, "relu", ObjectSpec("MeanSquaredError", {})),
    ],
)
def test_a_missing_loss_is_assumed_from_the_activation_and_said(
    units: int, activation: str, assumed: ObjectSpec
) -> None:
    head = _head(units, activation, None)
    assert head.loss == assumed
    assert head.assumed == f"the file names no loss: {assumed.kind} was used for output 0"


def test_a_custom_loss_is_replaced_and_said() -> None:
    head = _head(10, "softmax", ObjectSpec("MyLoss", {"alpha": 3}))
    assert head.loss.kind == "CategoricalCrossentropy"
    assert head.assumed == (
        "MyLoss is not one of Keras's losses: CategoricalCrossentropy was used for output 0"
    )


def test_targets_name_the_units_in_use() -> None:
    labels, used = np.array([0, 2, 1]), np.array([3, 5, 8, 9, 11])
    one_hot = _head(12, "softmax", _loss("MeanSquaredError")).encode(labels, used)
    signs = _head(12, "linear", _loss("Hinge")).encode(labels, used)

    assert one_hot.argmax(axis=1).tolist() == [3, 8, 5]
    assert one_hot.sum() == 3
    np.testing.assert_array_equal(signs, 2 * one_hot - 1)


def test_losses_that_sum_over_classes_see_the_used_units_only() -> None:
    labels, used = np.array([0, 2, 1]), np.array([3, 5, 8, 9, 11])
    one_hot = _head(12, "softmax", _loss("CategoricalCrossentropy"))
    index = _head(12, "softmax", _loss("SparseCategoricalCrossentropy"))

    assert one_hot.encode(labels, one_hot.seen(used)).tolist() == np.eye(5)[labels].tolist()
    assert index.encode(labels, index.seen(used)).tolist() == [0, 2, 1]
    assert (one_hot.width, index.width) == (5, 5)


def test_a_head_of_few_units_keeps_them_all() -> None:
    head = _head(4, "softmax", _loss("CategoricalCrossentropy"))
    assert not head.narrowed
    assert (head.width, head.seen(np.arange(4)).tolist()) == (4, [0, 1, 2, 3])


def test_arguments_of_units_that_are_left_out_are_left_out_too() -> None:
    sparse = ObjectSpec("SparseCategoricalCrossentropy", {"ignore_class": 0})
    focal = ObjectSpec("CategoricalFocalCrossentropy", {"alpha": [0.1, 0.3] * 6, "gamma": 2.0})
    assert _head(12, "softmax", sparse).loss.config == {}
    assert _head(12, "softmax", focal).loss.config == {"alpha": pytest.approx(0.2), "gamma": 2.0}


def test_a_single_unit_takes_one_column() -> None:
    labels, used = np.array([0, 1, 1]), np.arange(2)
    assert _head(1, "sigmoid", _loss("BinaryCrossentropy")).encode(labels, used).tolist() == [[0], [1], [1]]
    assert _head(1, "linear", _loss("Hinge")).encode(labels, used).tolist() == [[-1], [1], [1]]


@pytest.mark.parametrize(
    ("units", "activation", "loss", "link"),
    [
        (1, "linear", "MeanSquaredError", "linear"),
        (4, "linear", "Huber", "linear"),
        (1, "tanh", "MeanAbsoluteError", "signed"),
        (1, "relu", "MeanSquaredError", "positive"),
        (1, "linear", "Poisson", "positive"),
        (1, "linear", "MeanAbsolutePercentageError", "positive"),
        (3, "linear", "CosineSimilarity", "linear"),
    ],
)
def test_losses_of_numbers_are_given_numbers_in_the_outputs_range(
    units: int, activation: str, loss: str, link: str
) -> None:
    head = _head(units, activation, _loss(loss))
    assert (head.kind, head.target, head.link, head.classes) == ("values", "numbers", link, 0)
    numbers = np.arange(2.0 * units).reshape(2, units)
    np.testing.assert_array_equal(head.encode(numbers, np.arange(0)), numbers.astype(np.float32))


MAP = ("conv", "Conv2D", {"filters": 3, "kernel_size": 3, "padding": "same"})
SIGMOIDS = ("conv", "Conv2D", {"filters": 3, "kernel_size": 3, "padding": "same", "activation": "sigmoid"})


@pytest.mark.parametrize(
    ("layer", "loss", "kind", "mirrors"),
    [
        (MAP, _loss("MeanSquaredError"), "values", True),
        (SIGMOIDS, _loss("BinaryCrossentropy"), "values", True),
        (SIGMOIDS, _loss("MeanAbsoluteError"), "values", True),
        (MAP, _loss("SparseCategoricalCrossentropy", from_logits=True), "logits", True),
        (MAP, None, "values", True),
    ],
)
def test_an_output_of_the_inputs_own_shape_gives_it_back_unless_its_loss_wants_classes(
    layer: Layer, loss: ObjectSpec | None, kind: str, mirrors: bool
) -> None:
    (head,) = trained_heads(chain([layer], trained=training(loss)))
    assert (head.kind, head.axes) == (kind, 2)
    assert head.mirrors == (mirrors and kind == "values")


def test_a_map_of_scores_has_few_classes() -> None:
    head = trained_heads(
        chain([("conv", "Conv2D", {"filters": 8, "kernel_size": 1, "activation": "softmax"})],
              trained=training(_loss("SparseCategoricalCrossentropy")))
    )[0]  # fmt: skip
    assert (head.kind, head.classes, head.axes) == ("probabilities", 3, 2)


def test_an_output_without_units_is_refused() -> None:
    """A dot product of two vectors has a batch axis only where its last axis is taken away."""
    spec = chain([("pool", "GlobalAveragePooling2D", {}), ("flat", "MyLayer", {})])
    with pytest.raises(NotProbedError, match="no output has a known number of units"):
        trained_heads(spec)


def test_all_outputs_with_units_are_trained() -> None:
    spec = classifier(10, "softmax", training())
    both: ModelSpec = replace(spec, outputs=(TensorRef("conv"), *spec.outputs), training=None)
    assert [(head.index, head.axes) for head in trained_heads(both)] == [(0, 2), (1, 0)]

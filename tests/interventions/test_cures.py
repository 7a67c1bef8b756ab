"""Each cure on models that have its fault, straight and branching: the rule falls silent, the code runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.building import build
from analyzers.building.code import COMPILE, program
from analyzers.interventions.base import Applied
from analyzers.interventions.registry import INTERVENTIONS
from analyzers.registry import RULES
from analyzers.rule import Measurement
from analyzers.spec import ModelSpec
from tests.rules.apply import measured
from tests.support import spec_of

Tensor = Any


@dataclass(frozen=True)
class Cure:
    """A fault and what takes it away.

    Attributes:
        intervention: id.
        rule: id of the rule that finds the fault before and not after.
        straight, branching: build models with the fault.
        changed: names of the layers that are added or changed in each.
    """

    intervention: str
    rule: str
    straight: Callable[[], keras.Model]
    branching: Callable[[], keras.Model]
    changed: tuple[tuple[str, ...], tuple[str, ...]]


def _compiled(
    inputs: Tensor, outputs: Tensor, loss: Any = "categorical_crossentropy", optimizer: Any = "adam"
) -> keras.Model:
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=optimizer, loss=loss)
    return model


def _image_head(x: Tensor) -> Tensor:
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    return layers.Dense(3, "softmax", name="out")(layers.GlobalAveragePooling2D()(x))


def bypassed() -> keras.Model:
    """The scaled pixels reach only a second output."""
    inputs = keras.Input((16, 16, 3), name="pixels")
    scaled = layers.Rescaling(1 / 255, name="scale")(layers.RandomFlip(name="flip")(inputs))
    return _compiled(
        inputs, [_image_head(inputs), layers.Flatten()(scaled)], loss=["categorical_crossentropy", None]
    )


def bypassed_by_one_branch() -> keras.Model:
    inputs = keras.Input((16, 16, 3), name="pixels")
    scaled = layers.Conv2D(4, 3, name="fine")(layers.Rescaling(1 / 255, name="scale")(inputs))
    raw = layers.Conv2D(4, 3, name="raw")(inputs)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([raw, scaled])))
    return _compiled(inputs, layers.Dense(3, "softmax")(x))


def scaled_twice() -> keras.Model:
    inputs = keras.Input((16, 16, 3), name="pixels")
    x = layers.Rescaling(1 / 255, name="again")(layers.Rescaling(1 / 255, name="scale")(inputs))
    return _compiled(inputs, _image_head(x))


def scaled_twice_in_a_nested_model() -> keras.Model:
    inputs = keras.Input((16, 16, 3), name="pixels")
    nested = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Rescaling(1 / 127.5, -1, name="again")], name="more"
    )
    once = layers.Rescaling(1 / 255, name="scale")(inputs)
    x = layers.Concatenate()([layers.Conv2D(2, 3)(once), layers.Conv2D(2, 3)(nested(once))])
    return _compiled(inputs, _image_head(x))


def linear() -> keras.Model:
    body = [
        layers.Dense(8, name="a"),
        layers.Dropout(0.1),
        layers.Dense(8, name="b"),
        layers.Dense(3, "softmax"),
    ]
    model = keras.Sequential([keras.Input((6,)), *body])
    model.compile(loss="categorical_crossentropy")
    return model


def linear_branches() -> keras.Model:
    inputs = keras.Input((6,))
    left = layers.Dense(8, name="left")(inputs)
    right = layers.Dense(8, name="right")(layers.Dense(8, name="first")(inputs))
    return _compiled(inputs, layers.Dense(3, "softmax")(layers.Concatenate()([left, right])))


def sigmoids(layers_in_a_row: int = 5) -> keras.Model:
    body = [layers.Dense(16, "sigmoid", name=f"s{number}") for number in range(layers_in_a_row)]
    model = keras.Sequential([keras.Input((6,)), *body, layers.Dense(3, "softmax")])
    model.compile(loss="categorical_crossentropy")
    return model


def sigmoid_branches() -> keras.Model:
    inputs = keras.Input((6,))
    towers = []
    for side in "ab":
        x = inputs
        for number in range(4):
            x = layers.Dense(8, "sigmoid", name=f"{side}{number}")(x)
        towers.append(x)
    return _compiled(inputs, layers.Dense(3, "softmax")(layers.Concatenate()(towers)))


def squashed_twice() -> keras.Model:
    inputs = keras.Input((6,))
    x = layers.Dense(3, "softmax", name="inner")(layers.Dense(8, "relu")(inputs))
    return _compiled(inputs, layers.Softmax(name="outer")(x))


def relu_scores() -> keras.Model:
    """Two outputs, one with a ReLU under an operation that is a softmax, behind a nested model."""
    inputs = keras.Input((6,))
    head = keras.Sequential([keras.Input((6,)), layers.Dense(3, "relu", name="scores")], name="head")
    first = keras.ops.softmax(head(inputs))
    return _compiled(inputs, [first, layers.Dense(1)(inputs)], loss=["categorical_crossentropy", "mse"])


def one_unit() -> keras.Model:
    inputs = keras.Input((6,))
    return _compiled(inputs, layers.Dense(1, "sigmoid", name="out")(layers.Dense(8, "relu")(inputs)))


def one_wrong_loss_of_two() -> keras.Model:
    inputs = keras.Input((6,))
    x = layers.Dense(8, "relu")(inputs)
    return _compiled(inputs, [layers.Dense(1)(x), layers.Dense(4, "softmax")(x)], loss=["mse", "mse"])


def adadelta() -> keras.Model:
    inputs = keras.Input((6,))
    return _compiled(inputs, layers.Dense(3, "softmax")(inputs), optimizer="adadelta")


def adadelta_branches() -> keras.Model:
    inputs = keras.Input((6,))
    x = layers.Add()([layers.Dense(4)(inputs), layers.Dense(4, "relu")(inputs)])
    return _compiled(
        inputs, layers.Dense(3, "softmax")(x), optimizer=keras.optimizers.Adadelta(1e-4, clipnorm=2.0)
    )


def clipped_to_nothing() -> keras.Model:
    inputs = keras.Input((6,))
    optimizer = keras.optimizers.SGD(0.01, clipvalue=1e-6)
    return _compiled(inputs, layers.Dense(3, "softmax")(inputs), optimizer=optimizer)


def recurrent_branches() -> keras.Model:
    inputs = keras.Input((5, 3))
    x = layers.Concatenate()([layers.LSTM(4)(inputs), layers.GRU(4)(inputs)])
    return _compiled(inputs, layers.Dense(3, "softmax")(x), optimizer=keras.optimizers.Adam(1e-3))


def dropout_first() -> keras.Model:
    body = [layers.Dense(8, name="d"), layers.Dropout(0.5, name="drop"), layers.ReLU(name="relu")]
    model = keras.Sequential(
        [keras.Input((6,)), *body, layers.BatchNormalization(name="norm"), layers.Dense(3)]
    )
    model.compile(loss="mse")
    return model


def dropout_first_on_one_branch() -> keras.Model:
    inputs = keras.Input((6,))
    body = [
        layers.Dropout(0.5, name="drop"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(name="relu"),
    ]
    branch = keras.Sequential([keras.Input((6,)), layers.Dense(6), *body], name="branch")
    return _compiled(inputs, layers.Dense(3, "softmax")(layers.Add()([inputs, branch(inputs)])))


def penalised() -> keras.Model:
    inputs = keras.Input((30,))
    x = layers.Dense(64, "relu", kernel_regularizer=keras.regularizers.L2(1.0), name="fc")(inputs)
    return _compiled(inputs, layers.Dense(3, "softmax")(x))


def penalised_branches() -> keras.Model:
    inputs = keras.Input((30,))
    penalty = keras.regularizers.L1L2(0.1, 0.1)
    sides = [
        layers.Dense(64, "relu", kernel_regularizer=penalty, name=name)(inputs) for name in ("left", "right")
    ]
    return _compiled(inputs, layers.Dense(3, "softmax")(layers.Add()(sides)))


def dense_on_a_map() -> keras.Model:
    inputs = keras.Input((16, 16, 3))
    x = layers.MaxPooling2D(name="pool")(layers.Conv2D(4, 3, activation="relu")(inputs))
    return _compiled(inputs, layers.Dense(3, "softmax", name="out")(layers.Dense(8, "relu", name="fc")(x)))


def dense_on_joined_maps() -> keras.Model:
    inputs = keras.Input((16, 16, 3))
    sides = [layers.Conv2D(4, size, strides=2, padding="same", activation="relu")(inputs) for size in (3, 5)]
    joined = layers.Concatenate(name="joined")(sides)
    return _compiled(inputs, layers.Softmax()(layers.Dense(3)(joined)))


def frozen() -> keras.Model:
    inputs = keras.Input((30,))
    x = layers.Dense(64, "relu", trainable=False, name="fixed")(inputs)
    return _compiled(inputs, layers.Dense(3, "softmax")(x))


def frozen_nested() -> keras.Model:
    inputs = keras.Input((30,))
    body = keras.Sequential([keras.Input((30,)), layers.Dense(30, "relu", name="d")], name="body")
    body.trainable = False
    return _compiled(inputs, layers.Dense(3, "softmax")(layers.Add()([inputs, body(inputs)])))


def deep() -> keras.Model:
    body = [layers.Dense(16, "relu", name=f"d{number}") for number in range(22)]
    model = keras.Sequential([keras.Input((16,)), *body, layers.Dense(3, "softmax")])
    model.compile(loss="categorical_crossentropy")
    return model


def deep_branches() -> keras.Model:
    inputs = keras.Input((16,))
    towers = []
    for side in "ab":
        x = inputs
        for number in range(21):
            x = layers.Dense(16, "relu", name=f"{side}{number}")(x)
        towers.append(x)
    return _compiled(inputs, layers.Dense(3, "softmax")(layers.Concatenate()(towers)))


_TOWERS: Final = tuple(f"{side}{number}" for side in "ab" for number in range(4))

CURES: Final = (
    Cure("reconnect-preprocessing", "bypassed-preprocessing", bypassed, bypassed_by_one_branch, (("conv",), ("raw",))),
    Cure(
        "remove-double-normalization", "repeated-normalization", scaled_twice, scaled_twice_in_a_nested_model,
        (("again",), ("more/again",)),
    ),
    Cure("add-missing-activations", "missing-nonlinearity", linear, linear_branches,
         (("a", "b"), ("left", "first", "right"))),
    Cure(
        "add-layer-normalization", "saturating-activations", sigmoids, sigmoid_branches,
        (("s0", "s0_ln", "s0_sigmoid"), tuple(f"{name}_ln" for name in _TOWERS)),
    ),
    Cure("fix-output-activation", "double-softmax", squashed_twice, squashed_twice, (("inner",), ("inner",))),
    Cure("fix-output-activation", "relu-before-output-activation", relu_scores, relu_scores,
         (("head/scores",), ("head/scores",))),
    Cure("fix-loss", "wrong-loss-for-output", one_unit, one_wrong_loss_of_two, ((), ())),
    Cure("change-optimizer", "unsuitable-optimizer", adadelta, adadelta_branches, ((), ())),
    Cure("clip-gradients", "missing-gradient-clipping", clipped_to_nothing, recurrent_branches, ((), ())),
    Cure(
        "reorder-dropout-and-normalization", "dropout-before-batch-normalization", dropout_first,
        dropout_first_on_one_branch, (("drop",), ("branch/drop",)),
    ),
    Cure("remove-regularization", "excessive-regularization", penalised, penalised_branches,
         (("fc",), ("left", "right"))),
    Cure("global-pooling-head", "missing-flatten", dense_on_a_map, dense_on_joined_maps,
         (("global_average_pooling",), ("global_average_pooling",))),
    Cure("unfreeze-layers", "frozen-random-layers", frozen, frozen_nested, (("fixed",), ("body",))),
    Cure("add-skip-connections", "deep-plain-network", deep, deep_branches, (("d1_skip",), ("a1_skip", "b1_skip"))),
)  # fmt: skip


def found(rule: str, spec: ModelSpec) -> int:
    """How many findings a rule has on a model."""
    measurement = measured(RULES[rule], spec)
    return len(RULES[rule].judge(measurement)) if isinstance(measurement, Measurement) else 0


def applied(intervention: str, spec: ModelSpec) -> Applied:
    changed = INTERVENTIONS[intervention]().apply(spec)
    assert changed is not None
    return changed


@pytest.mark.parametrize("branching", [False, True], ids=["straight", "branching"])
@pytest.mark.parametrize("cure", CURES, ids=lambda cure: f"{cure.intervention}:{cure.rule}")
def test_the_fault_goes_and_the_repaired_model_builds(cure: Cure, branching: bool, tmp_path: Path) -> None:
    spec = spec_of((cure.branching if branching else cure.straight)(), tmp_path)
    assert found(cure.rule, spec) > 0
    fixed = applied(cure.intervention, spec)
    assert found(cure.rule, fixed.spec) == 0
    assert set(cure.changed[branching]) <= set(fixed.layers)
    assert INTERVENTIONS[cure.intervention]().apply(fixed.spec) is None
    built = build(fixed.spec).model
    names: dict[str, Any] = {}
    exec(program(fixed.spec, marked=frozenset(fixed.layers) | {COMPILE}), names)  # noqa: S102 - our own program
    made = names["build_model"]()
    assert made.output_shape == built.output_shape
    assert [w.shape for w in made.weights] == [w.shape for w in built.weights]


@pytest.mark.parametrize("name", sorted({cure.intervention for cure in CURES}))
def test_a_model_without_the_fault_is_left_alone(name: str, tmp_path: Path) -> None:
    """Residual, scaled, normalised, clipped, with the loss that suits."""
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(layers.Rescaling(1 / 255)(inputs))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", use_bias=False)(x)))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", use_bias=False)(y))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([x, y])))
    outputs = layers.Dense(3, "softmax")(layers.Dropout(0.2)(x))
    healthy = _compiled(inputs, outputs, optimizer=keras.optimizers.Adam(1e-3, clipnorm=1.0))
    assert INTERVENTIONS[name]().apply(spec_of(healthy, tmp_path)) is None


def test_reconnected_weights_see_scaled_pixels(tmp_path: Path) -> None:
    fixed = applied("reconnect-preprocessing", spec_of(bypassed_by_one_branch(), tmp_path))
    before = fixed.spec.layer("raw").inbound[0].inputs
    assert [ref.layer for ref in before] == ["scale"]


def test_a_shortcut_adds_the_input(tmp_path: Path) -> None:
    body = [
        layers.Dense(4, name="d", kernel_initializer="zeros"),
        layers.Dense(4, kernel_initializer="identity"),
    ]
    spec = spec_of(keras.Sequential([keras.Input((4,)), *body]), tmp_path)
    fixed = applied("add-skip-connections", spec)
    rows = np.array([[1.0, -2.0, 3.0, 0.5]], "float32")
    np.testing.assert_allclose(np.asarray(build(fixed.spec).model(rows)), rows, rtol=1e-6)


def test_moved_dropout_leaves_the_inference_as_it_was(tmp_path: Path) -> None:
    spec = spec_of(dropout_first_on_one_branch(), tmp_path)
    rows = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
    before, after = (
        np.asarray(build(one, seed=1).model(rows, training=False))
        for one in (spec, applied("reorder-dropout-and-normalization", spec).spec)
    )
    np.testing.assert_allclose(before, after, rtol=1e-5)


def test_pooling_takes_the_place_of_flatten_and_draws_the_dense_layer_anew(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.Flatten(name="flat")(layers.Conv2D(4, 3, activation="relu")(inputs))
    spec = spec_of(keras.Model(inputs, layers.Dense(3, name="out")(layers.Dropout(0.1)(x))), tmp_path)
    fixed = applied("global-pooling-head", spec)
    assert fixed.fresh == {"out"}
    assert fixed.spec.layer("flat").kind == "GlobalAveragePooling2D"
    assert build(fixed.spec).layers["out"].kernel.shape == (4, 3)


def test_deep_networks_get_adam_at_a_careful_rate(tmp_path: Path) -> None:
    model = deep()
    model.compile(optimizer=keras.optimizers.SGD(0.01), loss="categorical_crossentropy")
    assert applied("change-optimizer", spec_of(model, tmp_path)).settings["learning_rate"] == pytest.approx(
        1e-4
    )


@pytest.mark.parametrize(
    ("activation", "units", "loss", "suited"),
    [
        (None, 5, "sparse_categorical_crossentropy", ("SparseCategoricalCrossentropy", True)),
        (
            "softmax",
            5,
            keras.losses.CategoricalCrossentropy(from_logits=True),
            ("CategoricalCrossentropy", False),
        ),
        ("softmax", 5, "binary_crossentropy", ("CategoricalCrossentropy", False)),
        ("sigmoid", 5, "categorical_crossentropy", ("BinaryCrossentropy", False)),
        (None, 1, "categorical_crossentropy", ("BinaryCrossentropy", True)),
        ("softmax", 5, "mse", ("CategoricalCrossentropy", False)),
    ],
)
def test_the_loss_that_suits(
    activation: str | None, units: int, loss: Any, suited: tuple[str, bool], tmp_path: Path
) -> None:
    inputs = keras.Input((6,))
    spec = spec_of(
        _compiled(inputs, layers.Dense(units, activation)(layers.Dense(4, "relu")(inputs)), loss), tmp_path
    )
    training = applied("fix-loss", spec).spec.training
    assert training is not None
    assert training.losses[0] is not None
    assert (training.losses[0].kind, training.losses[0].config["from_logits"]) == suited


@pytest.mark.parametrize(
    ("units", "activation", "loss", "wanted"),
    [
        (5, None, "categorical_crossentropy", "softmax"),
        (1, "relu", "binary_crossentropy", "sigmoid"),
        (1, "softmax", "binary_crossentropy", "sigmoid"),
        (5, "softmax", keras.losses.SparseCategoricalCrossentropy(from_logits=True), "linear"),
        (1, "relu", "mse", "linear"),
        (3, "relu", "hinge", "linear"),
    ],
)
def test_the_activation_that_the_loss_wants(
    units: int, activation: str | None, loss: Any, wanted: str, tmp_path: Path
) -> None:
    inputs = keras.Input((6,))
    x = layers.Dense(units, activation, name="out")(layers.Dense(4, "relu")(inputs))
    fixed = applied("fix-output-activation", spec_of(_compiled(inputs, x, loss), tmp_path))
    assert fixed.spec.layer("out").config["activation"] == wanted

"""Optimizer state: every slot of every optimizer belongs to the weight that Keras keeps it for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import optimizers as ko

from analyzers.reading import open_model
from analyzers.spec import ModelSpec
from tests.support import saved

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

STEPS = 7

OPTIMIZERS: dict[str, tuple[Any, dict[str, str]]] = {
    "adam": (lambda: ko.Adam(0.01), {"momentum": "_momentums", "velocity": "_velocities"}),
    "amsgrad": (
        lambda: ko.Adam(0.01, amsgrad=True),
        {"momentum": "_momentums", "velocity": "_velocities", "velocity_hat": "_velocity_hats"},
    ),
    "adamw": (lambda: ko.AdamW(0.01), {"momentum": "_momentums", "velocity": "_velocities"}),
    "sgd": (lambda: ko.SGD(0.01), {}),
    "sgd-momentum": (lambda: ko.SGD(0.01, momentum=0.9), {"momentum": "momentums"}),
    "rmsprop": (lambda: ko.RMSprop(0.01), {"velocity": "_velocities"}),
    "rmsprop-centered": (
        lambda: ko.RMSprop(0.01, momentum=0.9, centered=True),
        {"velocity": "_velocities", "momentum": "_momentums", "average_gradient": "_average_gradients"},
    ),
    "adagrad": (lambda: ko.Adagrad(0.01), {"accumulator": "_accumulators"}),
    "adadelta": (
        lambda: ko.Adadelta(0.01),
        {"accumulated_grad": "_accumulated_grads", "accumulated_delta_var": "_accumulated_delta_vars"},
    ),
    "adamax": (lambda: ko.Adamax(0.01), {"momentum": "_m", "norm": "_u"}),
    "nadam": (lambda: ko.Nadam(0.01), {"momentum": "_momentums", "velocity": "_velocities"}),
    "lion": (lambda: ko.Lion(0.01), {"momentum": "_momentums"}),
    "ema": (
        lambda: ko.SGD(0.01, momentum=0.9, use_ema=True),
        {"average": "_model_variables_moving_average", "momentum": "momentums"},
    ),
}


def network() -> keras.Model:
    """A nested model, a frozen layer, BatchNormalization, and several weights of one shape."""
    inner = keras.Sequential(
        [kl.Input((4,)), kl.Dense(4, name="d"), kl.BatchNormalization(name="n")], name="inner"
    )
    source = kl.Input((4,), name="source")
    x = kl.Dense(4, name="first")(source)
    x = kl.Dense(4, name="frozen", trainable=False)(x)
    x = inner(x)
    return keras.Model(source, kl.Dense(4, name="last")(x))


def with_state(optimizer: Any) -> keras.Model:
    """The network with an optimizer whose every variable has a value of its own."""
    model = network()
    model.compile(optimizer, loss="mse")
    model.optimizer.build(model.trainable_variables)
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    for number, variable in enumerate(inner.variables):
        if variable.name == "iteration":
            variable.assign(STEPS)
        elif variable.name != "learning_rate":
            variable.assign(np.full(variable.shape, number, "float32"))
    return model


def slot_values(spec: ModelSpec) -> dict[tuple[str, str, str], np.ndarray[Any, Any]]:
    return {(s.slot, s.layer, s.role): np.asarray(spec.weights.load(s)) for s in spec.weights.slots}


def path_and_role(variable: keras.Variable) -> tuple[str, str]:
    layer, _, role = variable.path.rpartition("/")
    return layer, role


@pytest.mark.parametrize("extension", ["keras", "h5"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_slots_are_the_optimizers_own(name: str, extension: str, tmp_path: Path) -> None:
    make, attributes = OPTIMIZERS[name]
    model = with_state(make())
    expected = {
        (slot, *path_and_role(weight)): np.asarray(value)
        for slot, attribute in attributes.items()
        for weight, value in zip(
            model.optimizer._trainable_variables, getattr(model.optimizer, attribute), strict=True
        )
    }
    with open_model(saved(model, tmp_path, format=extension)) as spec:
        assert spec.weights.slot_problem is None
        found = slot_values(spec)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value)
        assert spec.training is not None
        assert spec.training.steps_taken == STEPS
        assert spec.training.rate_in_force == pytest.approx(0.01)


@pytest.mark.parametrize("extension", ["keras", "h5"])
def test_a_schedule_has_no_rate_variable(extension: str, tmp_path: Path) -> None:
    model = with_state(ko.Adam(ko.schedules.CosineDecay(0.001, 10, warmup_target=0.1, warmup_steps=5)))
    with open_model(saved(model, tmp_path, format=extension)) as spec:
        assert spec.training is not None
        assert spec.training.schedule is not None
        assert spec.training.schedule.kind == "CosineDecay"
        assert spec.training.learning_rate == 0.1
        assert spec.training.rate_in_force is None
        assert len(spec.weights.slots) == 2 * 8


@pytest.mark.parametrize("extension", ["keras", "h5"])
def test_a_loss_scale_wrapper_is_looked_through(extension: str, tmp_path: Path) -> None:
    model = with_state(ko.LossScaleOptimizer(ko.Adam(0.01)))
    with open_model(saved(model, tmp_path, format=extension)) as spec:
        assert spec.training is not None
        assert spec.training.optimizer is not None
        assert spec.training.optimizer.kind == "Adam"
        assert spec.weights.slot_problem is None
        assert len(spec.weights.slots) == 2 * 8


@pytest.mark.parametrize("extension", ["keras", "h5"])
def test_an_optimizer_given_by_name_has_its_default_rate(extension: str, tmp_path: Path) -> None:
    with open_model(saved(with_state("sgd"), tmp_path, format=extension)) as spec:
        assert spec.training is not None
        assert spec.training.learning_rate == pytest.approx(0.01)
        assert spec.training.rate_in_force == pytest.approx(0.01)


def test_state_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = saved(with_state(ko.Adam(0.01)), tmp_path, format="h5")
    with h5py.File(path, "a") as file:
        group = file["optimizer_weights"]
        names = list(group.attrs["weight_names"])
        dropped = names.pop()
        del group[dropped]
        group.attrs["weight_names"] = names
    with open_model(path) as spec:
        assert not spec.weights.slots
        assert spec.weights.slot_problem is not None
        assert "16" in spec.weights.slot_problem
        assert len(spec.weights.tensors) == 12

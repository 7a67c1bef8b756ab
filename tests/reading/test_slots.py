"""Optimizer state: every slot of every optimizer belongs to the weight that Keras keeps it for."""

from __future__ import annotations

import warnings
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
from tests.reading.old_files import layer, numbers, sequential, write
from tests.support import saved

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing tf_keras, not ours
    import tf_keras

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks that write the files

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
    "muon": (lambda: ko.Muon(0.01), {"momentum": "momentums", "velocity": "adam_velocities"}),
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
        if value is not None
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


def odd(framework: Any) -> Any:
    """A layer of the author's own, with weights that are trained and one between them that is not."""

    class Odd(framework.layers.Layer):  # type: ignore[misc]  # the framework is a parameter
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=(4,), name="scale")
            self.seen = self.add_weight(shape=(4,), name="seen", trainable=False)
            self.shift = self.add_weight(shape=(4,), name="shift")
            super().build(shape)

        def call(self, x: Any) -> Any:
            return x * self.scale + self.shift + self.seen

    return Odd


def with_layers_of_the_author(framework: Any, optimizer: Any, count: int) -> Any:
    """Dense layers of one shape with ``count`` such layers between them, trained for a step."""
    kl = framework.layers
    source = framework.Input((4,), name="source")
    x = kl.Dense(4, name="first")(source)
    for number in range(count):
        x = odd(framework)(name=f"odd_{number}")(x)
    model = framework.Model(source, kl.Dense(4, name="last")(kl.BatchNormalization(name="norm")(x)))
    model.compile(optimizer, loss="mse")
    random = np.random.default_rng(0)
    model.fit(random.normal(size=(8, 4)), random.normal(size=(8, 4)), verbose=0)
    return model


def slots_by_name(spec: ModelSpec, slot: str) -> dict[str, np.ndarray[Any, Any]]:
    return {
        f"{one.layer}/{one.role}": np.asarray(spec.weights.load(one))
        for one in spec.weights.slots
        if one.slot == slot
    }


@pytest.mark.parametrize(
    ("framework", "optimizer", "extension", "count"),
    [
        (keras, ko.Adam, "h5", 1),
        (keras, ko.Adam, "h5", 2),
        (keras, ko.Muon, "h5", 2),
        (keras, ko.Adam, "keras", 1),
        (tf_keras, tf_keras.optimizers.Adam, "h5", 2),
        (tf_keras, tf_keras.optimizers.legacy.Adam, "h5", 2),
    ],
    ids=["keras-h5", "keras-h5-two", "muon-h5", "keras-keras", "tf_keras-new", "tf_keras-old"],
)
def test_an_unknown_layer_does_not_hide_the_state(
    framework: Any, optimizer: Any, extension: str, count: int, tmp_path: Path
) -> None:
    model = with_layers_of_the_author(framework, optimizer(), count)
    path = tmp_path / f"model.{extension}"
    model.save(path)
    with open_model(path) as spec:
        assert spec.weights.slot_problem is None
        found = slots_by_name(spec, "momentum")
        shifts = [value for key, value in found.items() if key.startswith("odd")]
    assert len(found) == 2 * (3 + count)
    assert len(shifts) == 2 * count
    inner = model.optimizer
    if framework is keras:
        momenta = inner.momentums if isinstance(inner, ko.Muon) else inner._momentums
        expected = [np.asarray(one) for one in momenta]
    elif hasattr(inner, "_momentums"):
        expected = [one.numpy() for one in inner._momentums]
    else:
        expected = [inner.get_slot(one, "m").numpy() for one in model.trainable_weights]
    names = ["first", *(f"odd_{number}" for number in range(count)), "norm", "last"]
    ours = sorted(found, key=lambda key: names.index(key.partition("/")[0]))
    for key, value in zip(ours, expected, strict=True):
        np.testing.assert_array_equal(found[key], value, err_msg=key)


def test_two_unknown_layers_without_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with_layers_of_the_author(keras, ko.Adam(), 2).save(path)
    with open_model(path) as spec:
        assert not spec.weights.slots
        assert spec.weights.slot_problem == "the variables of layer 'odd_0' are not known"


@pytest.mark.parametrize(("trained", "fits"), [(2, True), (0, True), (4, False)])
def test_arrays_without_names_tell_how_many_of_an_unknown_layers_weights_were_trained(
    trained: int, fits: bool, tmp_path: Path
) -> None:
    """As Keras 2 wrote them: every first moment, then every second, in the order of the weights."""
    first = layer("Dense", "first", units=4, batch_input_shape=[None, 4])
    config = sequential(first, layer("Mystery", "odd"), layer("Dense", "last", units=2))
    arrays = {
        "first": [("first/kernel:0", numbers(4, 4)), ("first/bias:0", numbers(4))],
        "odd": [(f"odd/w_{number}:0", numbers(4)) for number in range(3)],
        "last": [("last/kernel:0", numbers(4, 2)), ("last/bias:0", numbers(2))],
    }
    shapes = [(4, 4), (4,), *[(4,)] * trained, (4, 2), (2,)]
    settings = {"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.001}}, "loss": "mse"}
    slots = [np.full(shape, number, "float32") for number, shape in enumerate(shapes * 2)]
    path = write(
        tmp_path / "model.h5", config, arrays, version="2.2.4", optimizer=(settings, [np.float32(7), *slots])
    )
    with open_model(path) as spec:
        assert (spec.weights.slot_problem is None) == fits
        if fits:
            found = slots_by_name(spec, "velocity")
            assert float(found["last/bias"][0]) == 2 * len(shapes) - 1
            assert sorted(key for key in found if key.startswith("odd/")) == ["odd/w", "odd/w_2"][:trained]


@pytest.mark.parametrize("kind", ["Adafactor"])
def test_state_of_another_form_is_refused(kind: str, tmp_path: Path) -> None:
    path = saved(with_state(getattr(ko, kind)(0.01)), tmp_path, format="keras")
    with open_model(path) as spec:
        assert not spec.weights.slots
        assert spec.weights.slot_problem == f"the order of the state of a {kind} optimizer is not known"

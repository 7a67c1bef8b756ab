"""Files of tf.keras 2, written by tf_keras, against the model that wrote them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzers.reading import open_model
from analyzers.spec import ModelSpec, TensorRef
from analyzers.spec.flatten import flatten

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing tf_keras, not ours
    import tensorflow as tf
    import tf_keras
    from tf_keras import layers as kl

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:You are saving your model")


def write(model: Any, tmp_path: Path, extension: str = "h5") -> Path:
    path = tmp_path / f"model.{extension}"
    model.save(path)
    return path


def shared_and_nested() -> Any:
    inner = tf_keras.Sequential(
        [kl.Input((8,)), kl.Dense(4, name="d1"), kl.BatchNormalization()], name="inner"
    )
    entry = kl.Input((4,))
    head = tf_keras.Model(entry, kl.Dense(4)(entry), name="head")
    source = kl.Input((8,), name="source")
    x = head(inner(source))
    y = tf.concat([x * 2.0 + 1.0, x], axis=-1)[:, 1:3]
    y = kl.Dense(3, activation="softmax", name="block/last")(y + kl.Dense(2)(source))
    return tf_keras.Model(source, [head(inner(source)), y], name="top")


def sequences() -> Any:
    source = kl.Input((6,), dtype="int32")
    x = kl.Embedding(10, 4)(source)
    x, h, c = kl.LSTM(3, return_sequences=True, return_state=True, name="encoder")(x)
    x = kl.LSTM(3, return_sequences=True, name="decoder")(x, initial_state=[h, c])
    x = kl.Bidirectional(kl.LSTM(3, return_sequences=True))(x)
    x = kl.TimeDistributed(kl.Dense(4))(x)
    x = kl.MultiHeadAttention(2, 2)(x, value=x)
    x = kl.SimpleRNN(3, return_sequences=True)(x)
    return tf_keras.Model(source, kl.GRU(2, reset_after=False)(x))


def images() -> Any:
    augment = tf_keras.Sequential(
        [kl.RandomFlip("horizontal"), kl.RandomRotation(0.1), kl.RandomHeight(0.1)], name="augment"
    )
    source = kl.Input((12, 12, 3))
    x = kl.Normalization()(kl.Rescaling(1 / 255)(augment(source)))
    x = kl.Conv2D(4, 3, activation="relu", kernel_initializer="he_normal", kernel_regularizer="l2")(x)
    x = kl.DepthwiseConv2D(3)(x)
    x = kl.SeparableConv2D(4, 3)(x)
    x = kl.Conv2DTranspose(4, 3, use_bias=False)(x)
    x = kl.LayerNormalization()(kl.BatchNormalization(scale=False)(x))
    x = kl.PReLU(shared_axes=[1, 2])(x)
    x = kl.Dropout(0.2)(kl.GlobalAveragePooling2D()(x))
    return tf_keras.Model(source, kl.Dense(3, activation=kl.LeakyReLU(0.1))(x))


def weights_of(model: Any, prefix: str = "") -> Iterator[tuple[str, list[Any]]]:
    for layer in model.layers:
        name = layer.name.replace("/", "_")
        if isinstance(layer, tf_keras.Model):
            yield from weights_of(layer, f"{prefix}{name}/")
        elif weights := [w for w in layer.weights if "state" not in w.name.lower()]:
            yield prefix + name, weights


def assert_same_weights(spec: ModelSpec, model: Any) -> None:
    expected = dict(weights_of(model))
    found: dict[str, int] = {}
    for tensor in spec.weights.tensors:
        weight = expected[tensor.layer][found.setdefault(tensor.layer, 0)]
        np.testing.assert_array_equal(spec.weights.load(tensor), weight.numpy())
        assert weight.name.rpartition("/")[2].partition(":")[0].endswith(tensor.role.rpartition("/")[2])
        found[tensor.layer] += 1
    assert found == {path: len(weights) for path, weights in expected.items()}


@pytest.mark.parametrize("extension", ["h5", "keras"])
@pytest.mark.parametrize("build", [shared_and_nested, sequences, images])
def test_every_weight_has_its_layer_role_and_value(build: Any, extension: str, tmp_path: Path) -> None:
    model = build()
    with open_model(write(model, tmp_path, extension)) as spec:
        assert_same_weights(spec, model)
        assert all(layer.known for layer in spec.walk())
        flatten(spec)
        assert spec.provenance is not None
        assert spec.provenance.format == ("keras-legacy-hdf5" if extension == "h5" else "keras-v3")


def test_calls_of_nested_models_count_from_zero(tmp_path: Path) -> None:
    with open_model(write(shared_and_nested(), tmp_path)) as spec:
        assert [call.args for call in spec.layer("head").inbound] == [
            (TensorRef("inner", 0),),
            (TensorRef("inner", 1),),
        ]
        assert spec.outputs == (TensorRef("head", 1), TensorRef("block_last"))


def test_slashes_in_layer_names_become_underscores(tmp_path: Path) -> None:
    with open_model(write(shared_and_nested(), tmp_path)) as spec:
        assert spec.layer("block_last").path == "block_last"
        assert [t.role for t in spec.weights.tensors if t.layer == "block_last"] == ["kernel", "bias"]


def test_operations_read_as_those_of_keras_3(tmp_path: Path) -> None:
    tf_keras.backend.clear_session()
    with open_model(write(shared_and_nested(), tmp_path)) as spec:
        kinds = {layer.name: layer.kind for layer in spec.layers if layer.name.startswith("tf.")}
        assert sorted(kinds.values()) == ["Add", "Add", "Concatenate", "GetItem", "Multiply"]
        assert spec.layer("tf.math.multiply").inbound[0].args == (TensorRef("head"), 2.0)
        assert isinstance(spec.layer("tf.__operators__.add_1").inbound[0].args[0], tuple)


def test_recurrent_states_and_old_settings(tmp_path: Path) -> None:
    tf_keras.backend.clear_session()
    with open_model(write(sequences(), tmp_path)) as spec:
        decoder = spec.layer("decoder")
        assert decoder.inbound[0].args == (TensorRef("encoder"),)
        assert decoder.inbound[0].kwargs == {
            "initial_state": (TensorRef("encoder", 0, 1), TensorRef("encoder", 0, 2))
        }
        assert not {"time_major", "implementation"} & set(decoder.config)
        assert spec.layer("gru").config["reset_after"] is False
        assert spec.layer("multi_head_attention").inbound[0].kwargs == {
            "value": TensorRef("time_distributed")
        }


def test_configs_are_in_todays_form(tmp_path: Path) -> None:
    tf_keras.backend.clear_session()
    with open_model(write(images(), tmp_path)) as spec:
        assert spec.layer("batch_normalization").config["axis"] == 3
        assert spec.layer("conv2d").config["kernel_regularizer"]["kind"] == "L2"  # type: ignore[index, call-overload]
        assert "groups" not in spec.layer("depthwise_conv2d").config
        assert spec.layer("augment").model is not None
        activation = spec.layer("dense").config["activation"]
        assert activation["kind"] == "LeakyReLU"  # type: ignore[index, call-overload]
        assert activation["config"]["negative_slope"] == pytest.approx(0.1)  # type: ignore[index, call-overload]


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_preprocessing_inside_the_graph_is_plain_arithmetic(mode: str, tmp_path: Path) -> None:
    source = kl.Input((4, 4, 3))
    x = tf_keras.applications.imagenet_utils.preprocess_input(source, mode=mode)
    model = tf_keras.Model(source, kl.Conv2D(1, 1)(x))
    with open_model(write(model, tmp_path)) as spec:
        assert [layer for layer in spec.walk() if not layer.known] == []
        assert flatten(spec).outputs


OPTIMIZERS: dict[str, tuple[Any, list[str]]] = {
    "adam": (lambda: tf_keras.optimizers.Adam(0.01), ["momentum", "velocity"]),
    "amsgrad": (
        lambda: tf_keras.optimizers.Adam(0.01, amsgrad=True),
        ["momentum", "velocity", "velocity_hat"],
    ),
    "sgd-momentum": (lambda: tf_keras.optimizers.SGD(0.01, momentum=0.9), ["momentum"]),
    "rmsprop": (lambda: tf_keras.optimizers.RMSprop(0.01), ["velocity"]),
    "adagrad": (lambda: tf_keras.optimizers.Adagrad(0.01), ["accumulator"]),
    "adadelta": (
        lambda: tf_keras.optimizers.Adadelta(0.01),
        ["accumulated_grad", "accumulated_delta_var"],
    ),
    "legacy-adam": (lambda: tf_keras.optimizers.legacy.Adam(0.01), ["momentum", "velocity"]),
    "legacy-adamax": (lambda: tf_keras.optimizers.legacy.Adamax(0.01), ["momentum", "norm"]),
    "legacy-sgd": (lambda: tf_keras.optimizers.legacy.SGD(0.01, momentum=0.9), ["momentum"]),
    "legacy-rmsprop": (lambda: tf_keras.optimizers.legacy.RMSprop(0.01), ["velocity"]),
}
"""Name -> optimizer, its slots in the order in which it was asked for them."""


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_slots_are_the_optimizers_own(name: str, tmp_path: Path) -> None:
    make, slots = OPTIMIZERS[name]
    inner = tf_keras.Sequential(
        [kl.Input((4,)), kl.Dense(4, name="d"), kl.BatchNormalization(name="n")], name="in"
    )
    frozen = kl.Dense(4, name="frozen", trainable=False)
    model = tf_keras.Sequential([kl.Input((4,)), kl.Dense(4, name="a"), frozen, inner, kl.Dense(4, name="b")])
    model.compile(make(), "mse")
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 4)))
    expected = {}
    for number, variable in enumerate(
        model.optimizer.variables() if "legacy" in name else model.optimizer.variables
    ):
        if variable.shape.rank:
            variable.assign(tf.fill(variable.shape, float(number)))
            expected[variable.name] = number
    with open_model(write(model, tmp_path)) as spec:
        assert spec.weights.slot_problem is None
        assert sorted({s.slot for s in spec.weights.slots}) == sorted(slots)
        assert len(spec.weights.slots) == len(slots) * 8 == len(expected)
        for slot in spec.weights.slots:
            number = int(np.asarray(spec.weights.load(slot)).flat[0])
            owner = slot.layer.rpartition("/")[2]
            (held,) = [key for key, value in expected.items() if value == number]
            assert f"{owner}/{slot.role}" in held
        assert spec.training is not None
        assert spec.training.steps_taken == 1
        assert spec.training.learning_rate == pytest.approx(0.01)


def test_decay_becomes_a_schedule(tmp_path: Path) -> None:
    model = tf_keras.Sequential([kl.Input((4,)), kl.Dense(2)])
    model.compile(tf_keras.optimizers.legacy.SGD(0.5, decay=0.25), "mse")
    with open_model(write(model, tmp_path)) as spec:
        assert spec.training is not None
        assert spec.training.schedule is not None
        assert spec.training.schedule.kind == "InverseTimeDecay"
        assert spec.training.schedule.config["decay_rate"] == 0.25
        assert spec.training.learning_rate == 0.5


@pytest.mark.parametrize("augmented", [True, False])
def test_an_input_shape_in_the_first_layer_becomes_an_input(augmented: bool, tmp_path: Path) -> None:
    first = [kl.RandomFlip(input_shape=(8, 8, 3))] if augmented else []
    rest = [kl.Conv2D(2, 3), kl.Flatten(), kl.Dense(1)] if augmented else [kl.Dense(1, input_shape=(8, 8, 3))]
    model = tf_keras.Sequential([*first, *rest])
    with open_model(write(model, tmp_path)) as spec:
        assert spec.layers[0].kind == "InputLayer"
        assert spec.layers[0].config["batch_shape"] == [None, 8, 8, 3]

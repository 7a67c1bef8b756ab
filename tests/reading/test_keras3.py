"""Files of today's Keras, as .keras and as .h5, against the model that wrote them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers as kl

from analyzers.reading import open_model
from analyzers.spec import ModelSpec, TensorRef
from analyzers.spec.flatten import flatten
from tests.support import saved

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

FORMATS = ("keras", "h5")


def shared_and_nested() -> keras.Model:
    """Two nested models called twice each, operations, and two outputs."""
    inner = keras.Sequential([kl.Input((8,)), kl.Dense(4, name="d1"), kl.BatchNormalization()], name="inner")
    entry = kl.Input((4,))
    head = keras.Model(entry, kl.Dense(4)(entry), name="head")
    source = kl.Input((8,), name="source")
    x = head(inner(source))
    y = keras.ops.concatenate([x * 2.0 + 1.0, x], axis=-1)[:, 1:3]
    y = kl.Dense(3, activation="softmax")(y + kl.Dense(2)(source))
    return keras.Model(source, [head(inner(source)), y], name="top")


def sequences() -> keras.Model:
    source = kl.Input((6,), dtype="int32")
    x = kl.Embedding(10, 4)(source)
    x = kl.Bidirectional(kl.LSTM(3, return_sequences=True))(x)
    x = kl.TimeDistributed(kl.Dense(4))(x)
    x = kl.MultiHeadAttention(2, 2)(x, x)
    x = kl.TimeDistributed(kl.BatchNormalization())(x)
    x = kl.RNN(kl.GRUCell(3), return_sequences=True)(x)
    x = kl.SimpleRNN(3, return_sequences=True)(x)
    return keras.Model(source, kl.GRU(2)(x))


def images() -> keras.Model:
    """Preprocessing, augmentation and every kind of convolution."""
    augment = keras.Sequential([kl.RandomFlip("horizontal"), kl.RandomRotation(0.1)], name="augment")
    source = kl.Input((12, 12, 3))
    x = kl.Normalization()(kl.Rescaling(1 / 255)(augment(source)))
    x = kl.Conv2D(4, 3, activation="relu", kernel_initializer="he_normal", kernel_regularizer="l2")(x)
    x = kl.DepthwiseConv2D(3)(x)
    x = kl.SeparableConv2D(4, 3)(x)
    x = kl.Conv2DTranspose(4, 3, use_bias=False)(x)
    x = kl.LayerNormalization()(kl.GroupNormalization(2, scale=False)(x))
    x = kl.PReLU(shared_axes=[1, 2])(x)
    x = kl.Dropout(0.2)(kl.GlobalAveragePooling2D()(x))
    return keras.Model(source, kl.Dense(3, activation=kl.LeakyReLU(0.1))(x))


MODELS: tuple[Callable[[], keras.Model], ...] = (shared_and_nested, sequences, images)


def weights_of(model: keras.Model, prefix: str = "") -> Iterator[tuple[str, list[keras.Variable]]]:
    """Path of every layer with weights, nested models opened, with its variables in Keras's order."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from weights_of(layer, f"{prefix}{layer.name}/")
        elif layer.weights:
            yield prefix + layer.name, layer.weights


def assert_same_weights(spec: ModelSpec, model: keras.Model) -> None:
    expected = dict(weights_of(model))
    found: dict[str, list[str]] = {}
    for tensor in spec.weights.tensors:
        position = len(found.setdefault(tensor.layer, []))
        variable = expected[tensor.layer][position]
        np.testing.assert_array_equal(np.asarray(spec.weights.load(tensor)), np.asarray(variable))
        assert tensor.role.rpartition("/")[2] == variable.name
        found[tensor.layer].append(tensor.role)
    assert {path: len(roles) for path, roles in found.items()} == {p: len(v) for p, v in expected.items()}
    assert all(len(set(roles)) == len(roles) for roles in found.values())


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("build", MODELS)
def test_every_weight_has_its_layer_role_and_value(
    build: Callable[[], keras.Model], extension: str, tmp_path: Path
) -> None:
    model = build()
    with open_model(saved(model, tmp_path, format=extension)) as spec:
        assert_same_weights(spec, model)
        assert all(layer.known for layer in spec.walk())


@pytest.mark.parametrize("build", MODELS)
def test_both_formats_give_the_same_graph(build: Callable[[], keras.Model], tmp_path: Path) -> None:
    model = build()
    with (
        open_model(saved(model, tmp_path)) as archive,
        open_model(saved(model, tmp_path, format="h5")) as hdf5,
    ):
        assert archive.layers == hdf5.layers
        assert (archive.inputs, archive.outputs) == (hdf5.inputs, hdf5.outputs)
        assert archive.provenance is not None
        assert hdf5.provenance is not None
        assert (archive.provenance.format, hdf5.provenance.format) == ("keras-v3", "keras-v3-hdf5")


@pytest.mark.parametrize("extension", FORMATS)
def test_calls_of_nested_models_count_from_zero(extension: str, tmp_path: Path) -> None:
    with open_model(saved(shared_and_nested(), tmp_path, format=extension)) as spec:
        assert [call.args for call in spec.layer("head").inbound] == [
            (TensorRef("inner", 0),),
            (TensorRef("inner", 1),),
        ]
        assert spec.outputs[0] == TensorRef("head", 1)
        flat = flatten(spec)
    assert len(flat.layer("inner__d1").inbound) == 2
    assert flat.outputs[0].call == 1


@pytest.mark.parametrize("extension", FORMATS)
def test_operations_keep_their_operands_and_two_tensors_read_as_a_merge(
    extension: str, tmp_path: Path
) -> None:
    keras.utils.clear_session()
    with open_model(saved(shared_and_nested(), tmp_path, format=extension)) as spec:
        assert spec.layer("multiply").inbound[0].args == (TensorRef("head"), 2.0)
        assert spec.layer("get_item").inbound[0].args[1] == (
            {"start": None, "stop": None, "step": None},
            {"start": 1, "stop": 3, "step": None},
        )
        merge = spec.layer("add_1")
        assert merge.kind == "Add"
        assert isinstance(merge.inbound[0].args[0], tuple)
        assert spec.layer("concatenate").config["axis"] == -1


def test_configs_are_in_todays_form(tmp_path: Path) -> None:
    keras.utils.clear_session()
    with open_model(saved(images(), tmp_path)) as spec:
        config = spec.layer("conv2d").config
        dense = spec.layer("dense").config
    assert config["activation"] == "relu"
    assert config["kernel_initializer"]["kind"] == "HeNormal"  # type: ignore[index, call-overload]
    assert config["kernel_regularizer"] == {"kind": "L2", "config": {"l2": 0.01}}
    assert config["dtype"] == "float32"
    assert not {"name", "trainable"} & set(config)
    assert dense["activation"]["kind"] == "LeakyReLU"  # type: ignore[index, call-overload]


def test_a_sequential_gets_its_calls_and_its_input_written_out(tmp_path: Path) -> None:
    model = keras.Sequential([kl.Input((5,), name="x"), kl.Dense(2, name="a"), kl.Dense(1, name="b")])
    with open_model(saved(model, tmp_path)) as spec:
        assert spec.kind == "sequential"
        assert [layer.kind for layer in spec.layers] == ["InputLayer", "Dense", "Dense"]
        assert spec.layers[0].config == {"batch_shape": [None, 5], "dtype": "float32"}
        assert spec.layers[1].inbound[0].args == (TensorRef("x"),)
        assert (spec.inputs, spec.outputs) == ((TensorRef("x"),), (TensorRef("b"),))


def test_a_sequential_built_from_data_gets_an_input(tmp_path: Path) -> None:
    model = keras.Sequential([kl.Dense(2, name="a")])
    model.build((None, 7))
    for extension in FORMATS:
        with open_model(saved(model, tmp_path, format=extension)) as spec:
            assert spec.layers[0].config["batch_shape"] == [None, 7]
            assert spec.weights.tensors[0].shape == (7, 2)


@pytest.mark.parametrize("policy", ["bfloat16", "float16", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("extension", FORMATS)
def test_dtypes_are_kept(policy: str, extension: str, tmp_path: Path) -> None:
    model = keras.Sequential([kl.Input((3,)), kl.Dense(2, dtype=policy, name="a")])
    path = saved(model, tmp_path, format=extension)
    with open_model(path) as spec:
        kernel = spec.weights.tensors[0]
        assert kernel.dtype == (policy if not policy.startswith("mixed") else "float32")
        assert spec.layer("a").config["dtype"] == policy
        values = spec.weights.load(kernel)
        np.testing.assert_array_equal(
            values.astype("float32"), np.asarray(model.layers[0].kernel, dtype="float32")
        )


def test_frozen_layers_are_marked(tmp_path: Path) -> None:
    model = keras.Sequential([kl.Input((5,)), kl.Dense(2, name="a", trainable=False), kl.Dense(1, name="b")])
    with open_model(saved(model, tmp_path)) as spec:
        assert not spec.layer("a").trainable
        assert spec.layer("b").trainable


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
@pytest.mark.parametrize("extension", FORMATS)
def test_preprocessing_inside_the_graph_is_plain_arithmetic(
    mode: str, extension: str, tmp_path: Path
) -> None:
    source = kl.Input((4, 4, 3))
    x = keras.applications.imagenet_utils.preprocess_input(source, mode=mode)
    model = keras.Model(source, kl.Conv2D(1, 1)(x))
    with open_model(saved(model, tmp_path, format=extension)) as spec:
        assert [layer for layer in spec.walk() if not layer.known] == []


@pytest.mark.parametrize("extension", FORMATS)
def test_settings_of_several_outputs_follow_the_outputs(extension: str, tmp_path: Path) -> None:
    source = kl.Input((4,), name="x")
    outputs = {"b": kl.Dense(2, name="second")(source), "a": kl.Dense(1, name="first")(source)}
    model = keras.Model(source, outputs)
    model.compile(
        keras.optimizers.Adam(0.5, clipnorm=1.0),
        loss={"b": "categorical_crossentropy", "a": keras.losses.BinaryCrossentropy(from_logits=True)},
        loss_weights={"b": 0.25, "a": 1.0},
        metrics={"b": ["accuracy"]},
    )
    with open_model(saved(model, tmp_path, format=extension)) as spec:
        assert spec.outputs == (TensorRef("first"), TensorRef("second"))
        training = spec.training
        assert training is not None
        assert [loss.kind for loss in training.losses if loss] == [
            "BinaryCrossentropy",
            "CategoricalCrossentropy",
        ]
        assert training.losses[0] is not None
        assert training.losses[0].config["from_logits"] is True
        assert training.losses[1] is not None
        assert training.losses[1].config["from_logits"] is False
        assert training.loss_weights == (1.0, 0.25)
        assert training.optimizer is not None
        assert training.optimizer.config["clipnorm"] == 1.0
        assert "learning_rate" not in training.optimizer.config
        assert training.learning_rate == 0.5
        assert training.metrics == ("accuracy",)


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small", "EfficientNetB0"])
@pytest.mark.parametrize("extension", FORMATS)
def test_models_of_keras_applications(name: str, extension: str, tmp_path: Path) -> None:
    model = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=3)
    with open_model(saved(model, tmp_path, format=extension)) as spec:
        assert_same_weights(spec, model)
        assert [layer for layer in spec.walk() if not layer.known] == []
        assert len(spec.layers) == len(model.operations)

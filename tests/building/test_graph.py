"""Graphs as Keras files have them: branches, shared layers, nested models, replaced inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.building import Built, Unbuildable, assign_weights, build, problems
from analyzers.spec import Array, LayerSpec, ModelSpec
from analyzers.spec.flatten import flatten
from analyzers.spec.shapes import infer_shapes
from tests.building.samples import Sample
from tests.support import spec_of


def _data(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def _assigned(spec: ModelSpec) -> Built:
    built = build(spec)
    assert assign_weights(built, spec.weights) == ()
    return built


def _same_outputs(spec: ModelSpec, model: keras.Model, *inputs: Array) -> None:
    """Nested and flat, the rebuilt model gives what the original gives."""
    expected = model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
    expected = expected if isinstance(expected, list) else [expected]
    for one in (spec, flatten(spec)):
        outputs = _assigned(one).model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        for ours, theirs in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def _branching() -> keras.Model:
    image, table = layers.Input((8, 8, 3), name="image"), layers.Input((5,), name="table")
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(layers.Rescaling(1 / 255)(image))
    x = layers.Add()([x, layers.Conv2D(4, 3, padding="same", use_bias=False)(layers.BatchNormalization()(x))])
    x = layers.Flatten()(x[:, 1:, ::2] * 0.5 + 1.0)
    # A spec keeps no name of an activation layer: this is the one that the builder gives.
    shared = layers.Dense(6, activation=layers.LeakyReLU(0.1, name="leakyrelu"), name="shared")
    x = layers.Concatenate()([shared(layers.Dense(5)(x)), shared(table)])
    return keras.Model(
        [image, table], [layers.Dense(2, activation="softmax")(x), layers.Dense(1)(x)], name="branching"
    )


@pytest.mark.parametrize("extension", ["keras", "h5"])
def test_branches_shared_layers_operations_and_several_outputs(tmp_path: Path, extension: str) -> None:
    model = _branching()
    spec = spec_of(model, tmp_path, format=extension)
    _same_outputs(spec, model, 100 * _data(2, 8, 8, 3), _data(2, 5))
    built = build(spec)
    assert len(built.layers["shared"]._inbound_nodes) == 2
    assert {("shared", 0), ("shared", 1)} <= set(built.tensors)
    assert built.model.get_config() == model.get_config()


def test_a_sequential_model_stays_one(tmp_path: Path) -> None:
    model = keras.Sequential(
        [layers.Input((4,)), layers.Dense(3), layers.Dropout(0.5), layers.Dense(2)], name="chain"
    )
    spec = spec_of(model, tmp_path)
    assert isinstance(build(spec).model, keras.Sequential)
    assert build(spec).model.get_config() == model.get_config()
    assert [tuple(tensor.shape) for tensor in build(spec).tensors[spec.layers[1].path, 0]] == [(None, 3)]
    _same_outputs(spec, model, _data(2, 4))


def test_nested_models_are_built_as_saved_and_can_be_opened(tmp_path: Path) -> None:
    inner = keras.Sequential(
        [layers.Input((4,)), layers.Dense(4, name="dense"), layers.BatchNormalization()], name="in"
    )
    outer = keras.Sequential([layers.Input((4,)), inner, layers.Dense(3, name="dense")], name="out")
    inputs = layers.Input((4,))
    other = keras.Sequential([layers.Input((4,)), layers.Dense(4, name="dense")], name="twice")
    model = keras.Model(inputs, outer(other(other(inputs))), name="whole")
    spec = spec_of(model, tmp_path)
    _same_outputs(spec, model, _data(2, 4))
    nested, flat = build(spec), build(flatten(spec))
    assert {"out", "out/in", "out/in/dense", "out/dense", "twice/dense"} <= set(nested.layers)
    assert nested.model.get_config() == model.get_config()
    assert ("twice/dense", 1) in flat.tensors
    assert {layer.name for layer in flat.model.layers} >= {"out__in__dense", "twice__dense"}


def test_frozen_layers_and_models_stay_frozen(tmp_path: Path) -> None:
    inner = keras.Sequential([layers.Input((4,)), layers.Dense(4), layers.BatchNormalization()], name="base")
    inner.trainable = False
    inputs = layers.Input((4,))
    x = layers.Dense(3, trainable=False)(inner(inputs))
    model = keras.Model(inputs, layers.Dense(2, name="head")(x))
    spec = spec_of(model, tmp_path)
    for one in (spec, flatten(spec)):
        built = build(one)
        head = built.layers["head"]
        assert len(built.model.trainable_variables) == len(head.trainable_variables) == 2
    x = 10 * _data(4, 4)
    built = _assigned(spec)
    np.testing.assert_allclose(built.model(x, training=True), model(x, training=True), rtol=1e-6)


def test_input_shapes_are_replaced_and_the_batch_is_free(tmp_path: Path) -> None:
    inputs = layers.Input(batch_shape=(30, 16, 16, 3), name="pixels")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(inputs))
    spec = spec_of(keras.Model(inputs, x), tmp_path)
    assert build(spec).model.input_shape == (None, 16, 16, 3)
    assert build(spec, free_batch=False).model.input_shape == (30, 16, 16, 3)
    shapes = {"pixels": (None, 8, 8, 3)}
    built = build(spec, input_shapes=shapes)
    assert [tuple(tensor.shape) for tensor in built.tensors["conv", 0]] == [(None, 6, 6, 4)]
    assert infer_shapes(spec, shapes)["conv", 0] == ((None, 6, 6, 4),)
    assert assign_weights(built, spec.weights) == ()


def test_recorded_masks_are_wired(tmp_path: Path) -> None:
    inputs = layers.Input((6,), dtype="int32")
    x = layers.LSTM(3, return_sequences=True)(layers.Embedding(9, 4, mask_zero=True)(inputs))
    x = layers.Bidirectional(layers.GRU(2))(x)
    model = keras.Model(inputs, x)
    tokens = np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 0]], "int32")
    for extension in ("keras", "h5"):
        _same_outputs(spec_of(model, tmp_path, format=extension), model, tokens)


def test_attention_and_states_are_wired(tmp_path: Path) -> None:
    inputs = layers.Input((6, 4))
    x, *states = layers.LSTM(4, return_sequences=True, return_state=True)(inputs)
    x = layers.MultiHeadAttention(2, 3)(x, inputs, use_causal_mask=False)
    x = layers.LSTM(4)(layers.LayerNormalization()(x), initial_state=states)
    model = keras.Model(inputs, x)
    _same_outputs(spec_of(model, tmp_path), model, _data(2, 6, 4))


def test_names_that_keras_forbids_are_made_legal() -> None:
    spec = Sample("Dense", {"units": 2}).spec()
    odd = "a/b <b>'\"\u202e é"
    renamed = replace(spec.layers[1], name=odd, path=odd)
    output = replace(spec.outputs[0], layer=odd)
    spec = replace(spec, name="x/y", layers=(spec.layers[0], renamed), outputs=(output,))
    built = build(spec, seed=1)
    assert set(built.layers) == {"input_0", odd}
    assert built.model(np.zeros((1, 8, 6, 4), "float32")).shape == (1, 8, 6, 2)


def test_shapes_that_do_not_fit_name_the_layer() -> None:
    with pytest.raises(Unbuildable) as caught:
        build(Sample("Conv2D", {"filters": 2, "kernel_size": 9}).spec())
    assert caught.value.problems[0][0] == "layer"
    with pytest.raises(Unbuildable) as caught:
        build(Sample("Add", {}, ((None, 3), (None, 4)), merged=True).spec())
    assert caught.value.problems[0][0] == "layer"


def test_calls_with_anything_but_tensors_and_switches_are_refused() -> None:
    with pytest.raises(Unbuildable, match="called with 'sum'"):
        build(Sample("Dense", {"units": 2}, args=("sum",)).spec())


def test_cycles_and_unknown_tensors_are_problems() -> None:
    spec = Sample("Dense", {"units": 2}).spec()
    dense: LayerSpec = spec.layers[1]
    looped = replace(dense, inbound=(replace(dense.inbound[0], args=(spec.outputs[0],)),))
    assert "cycle" in problems(replace(spec, layers=(spec.layers[0], looped)))[0][1]

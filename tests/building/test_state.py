"""Weights: copied from a file by layer and role, or drawn again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from keras import layers

from analyzers.building import assign_weights, build, reinitialize
from analyzers.building.state import derived_seed
from analyzers.spec import Array, ModelSpec, TensorInfo, by_layer
from tests.building.samples import Sample
from tests.support import spec_of


@dataclass
class _Tensors:
    """Saved tensors in memory; counts what is loaded."""

    values: dict[TensorInfo, Array]
    slots: tuple[TensorInfo, ...] = ()
    slot_problem: str | None = None

    @property
    def tensors(self) -> tuple[TensorInfo, ...]:
        return tuple(self.values)

    def load(self, tensor: TensorInfo) -> Array:
        return self.values[tensor]


def _saved(**roles: Array) -> _Tensors:
    return _Tensors(
        {TensorInfo("layer", role, value.shape, "float32"): value for role, value in roles.items()}
    )


def _dense() -> ModelSpec:
    return Sample("Dense", {"units": 2}).spec()


def test_tensors_are_matched_by_role_not_by_order() -> None:
    built = build(_dense())
    saved = _saved(bias=np.ones(2, "float32"), kernel=np.full((4, 2), 3.0, "float32"))
    assert assign_weights(built, saved) == ()
    np.testing.assert_array_equal(built.layers["layer"].bias, [1, 1])
    np.testing.assert_array_equal(built.layers["layer"].kernel, np.full((4, 2), 3.0))


def test_other_names_are_matched_by_order_when_every_shape_agrees() -> None:
    built = build(_dense())
    assert assign_weights(built, _saved(w=np.ones((4, 2), "float32"), b=np.ones(2, "float32"))) == ()
    assert assign_weights(built, _saved(b=np.ones(2, "float32"), w=np.ones((4, 2), "float32"))) == ("layer",)


def test_layers_without_fitting_tensors_are_named_and_left_alone() -> None:
    built = build(_dense(), seed=3)
    before = np.asarray(built.layers["layer"].kernel).copy()
    assert assign_weights(built, _saved(kernel=np.ones((9, 2), "float32"), bias=np.ones(2, "float32"))) == (
        "layer",
    )
    assert assign_weights(built, _saved()) == ("layer",)
    assert assign_weights(built, _saved(), skip=frozenset({"layer"})) == ()
    np.testing.assert_array_equal(built.layers["layer"].kernel, before)
    np.testing.assert_array_equal(built.layers["layer"].bias, [0, 0])


def test_adapted_statistics_take_effect_and_are_never_drawn_again() -> None:
    built = build(Sample("Normalization").spec())
    saved = _saved(
        mean=np.full(4, 2.0, "float32"), variance=np.full(4, 4.0, "float32"), count=np.array(8, "float32")
    )
    assert assign_weights(built, saved) == ()
    reinitialize(built, 1)
    outputs = built.model(np.full((1, 8, 6, 4), 6.0, "float32"))
    np.testing.assert_allclose(outputs, np.full((1, 8, 6, 4), 2.0))


def test_drawing_again_resets_moving_statistics_and_random_streams(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(8, name="a"),
            layers.BatchNormalization(name="b"),
            layers.Dropout(0.5, name="d"),
        ]
    )
    spec = spec_of(model, tmp_path)
    built = build(spec, seed=5)
    data = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
    first = np.array(built.model(data, training=True))
    moved = np.asarray(built.layers["b"].moving_mean).copy()
    second = np.array(built.model(data, training=True))
    assert not np.array_equal(moved, np.zeros(8))
    assert not np.array_equal(first, second)
    reinitialize(built, 5)
    np.testing.assert_array_equal(built.layers["b"].moving_mean, np.zeros(8))
    np.testing.assert_array_equal(built.model(data, training=True), first)


def test_only_the_named_layers_are_drawn_again(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Input((4,)), layers.Dense(8, name="a"), layers.Dense(8, name="b")])
    spec = spec_of(model, tmp_path)
    built = build(spec)
    assign_weights(built, spec.weights)
    reinitialize(built, 9, paths=frozenset({"b"}))
    saved = {
        path: [spec.weights.load(one) for one in group]
        for path, group in by_layer(spec.weights.tensors).items()
    }
    np.testing.assert_array_equal(built.layers["a"].kernel, saved["a"][0])
    assert not np.array_equal(built.layers["b"].kernel, saved["b"][0])


def test_equal_layers_at_different_paths_are_drawn_differently() -> None:
    one = Sample("Dense", {"units": 4}, ((None, 4),)).spec()
    other = replace(one, layers=(one.layers[0], replace(one.layers[1], path="elsewhere")))
    ours, theirs = build(one, seed=1).layers["layer"], build(other, seed=1).layers["elsewhere"]
    assert not np.array_equal(ours.kernel, theirs.kernel)


def test_the_parts_of_an_attention_layer_are_drawn_differently() -> None:
    sample = Sample("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, ((None, 7, 4), (None, 7, 4)))
    layer = build(sample.spec(), seed=1).layers["layer"]
    assert not np.array_equal(layer.query_dense.kernel, layer.key_dense.kernel)


def test_drawn_kernels_have_the_initialisers_spread() -> None:
    seeds = range(20)
    spec = Sample("MultiHeadAttention", {"num_heads": 8, "key_dim": 8}, ((None, 7, 64), (None, 7, 64))).spec()
    built = build(spec)
    kernel = built.layers["layer"].query_dense.kernel
    spread = float(np.std(kernel))
    drawn = []
    for seed in seeds:
        reinitialize(built, seed)
        drawn.append(float(np.std(kernel)))
    assert abs(np.mean(drawn) / spread - 1) < 0.05


def test_the_forget_gates_bias_is_one() -> None:
    layer = build(Sample("LSTM", {"units": 3}, ((None, 7, 4),)).spec(), seed=1).layers["layer"]
    np.testing.assert_array_equal(layer.cell.bias, [0] * 3 + [1] * 3 + [0] * 6)


def test_the_seed_of_the_spec_stays_in_the_config() -> None:
    config = {"units": 3, "kernel_initializer": {"kind": "HeNormal", "config": {"seed": 11}}}
    layer = build(Sample("Dense", config).spec(), seed=1).layers["layer"]
    assert layer.get_config()["kernel_initializer"]["config"]["seed"] == 11


def test_derived_seeds_are_the_same_on_every_machine() -> None:
    assert derived_seed(1, "block/conv", "kernel") == 1426495377

"""Weights and settings of Keras 1, of Theano and of the GPU-only layers, against tf_keras's own conversion."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzers.building import build
from analyzers.reading import open_model
from tests.reading.generated.comparing import difference, outputs, rebuilt, samples
from tests.reading.old_files import layer, numbers, sequential, write

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing tf_keras, not ours
    import tf_keras
    from tf_keras import layers as kl
    from tf_keras.src.saving.legacy import hdf5_format

_DENSE = {
    "init": "glorot_uniform",
    "activation": "relu",
    "bias": True,
    "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.5},
}
_CONV = {"init": "he_normal", "activation": "relu", "border_mode": "same", "bias": True, "nb_filter": 4}
_SQUARE = {**_CONV, "nb_row": 3, "nb_col": 2, "subsample": [2, 1]}
_RECURRENT = {"output_dim": 4, "init": "glorot_uniform", "inner_init": "orthogonal", "activation": "tanh",
              "inner_activation": "hard_sigmoid", "dropout_W": 0.1, "return_sequences": False}  # fmt: skip


def _gates(name: str, gates: str, inputs: int, units: int) -> list[tuple[str, Any]]:
    """A recurrent layer's arrays in Keras 1: kernel, recurrent kernel and bias of each gate."""
    return [
        (f"{name}_{part}_{gate}:0", numbers(*shape, seed=number))
        for number, gate in enumerate(gates)
        for part, shape in (("W", (inputs, units)), ("U", (units, units)), ("b", (units,)))
    ]


def _pair(name: str, *shape: int, bias: int) -> list[tuple[str, Any]]:
    return [(f"{name}_W:0", numbers(*shape)), (f"{name}_b:0", numbers(bias))]


CASES: dict[str, tuple[dict[str, Any], list[tuple[str, Any]], tuple[int | None, ...], Any]] = {
    "Dense": (
        layer("Dense", "one", output_dim=3, input_dim=5, batch_input_shape=[None, 5], **_DENSE),
        _pair("one", 5, 3, bias=3), (5,), kl.Dense(3, activation="relu"),
    ),
    "Convolution2D, tf": (
        layer("Convolution2D", "one", dim_ordering="tf", batch_input_shape=[None, 9, 8, 3], **_SQUARE),
        _pair("one", 3, 2, 3, 4, bias=4), (9, 8, 3),
        kl.Conv2D(4, (3, 2), (2, 1), padding="same", activation="relu"),
    ),
    "Convolution2D, th": (
        layer("Convolution2D", "one", dim_ordering="th", batch_input_shape=[None, 3, 9, 8], **_SQUARE),
        _pair("one", 4, 3, 3, 2, bias=4), (3, 9, 8),
        kl.Conv2D(4, (3, 2), (2, 1), padding="same", activation="relu", data_format="channels_first"),
    ),
    "Convolution1D": (
        layer("Convolution1D", "one", filter_length=3, subsample_length=2, batch_input_shape=[None, 9, 5], **_CONV),
        _pair("one", 3, 1, 5, 4, bias=4), (9, 5), kl.Conv1D(4, 3, 2, padding="same", activation="relu"),
    ),
    "Convolution1D, filters first": (
        layer("Convolution1D", "one", filter_length=3, subsample_length=1, batch_input_shape=[None, 9, 1], **_CONV),
        _pair("one", 4, 1, 3, 1, bias=4), (9, 1), kl.Conv1D(4, 3, padding="same", activation="relu"),
    ),
    "Deconvolution2D": (
        layer("Deconvolution2D", "one", dim_ordering="tf", batch_input_shape=[None, 5, 5, 3], **_SQUARE),
        _pair("one", 3, 2, 3, 4, bias=4), (5, 5, 3),
        kl.Conv2DTranspose(4, (3, 2), (2, 1), padding="same", activation="relu"),
    ),
    "LSTM": (
        layer("LSTM", "one", consume_less="cpu", batch_input_shape=[None, 6, 3], **_RECURRENT),
        _gates("one", "icfo", 3, 4), (6, 3), kl.LSTM(4, recurrent_activation="hard_sigmoid"),
    ),
    "LSTM, one kernel": (
        layer("LSTM", "one", consume_less="gpu", batch_input_shape=[None, 6, 3], **_RECURRENT),
        [("one_W:0", numbers(3, 16)), ("one_U:0", numbers(4, 16)), ("one_b:0", numbers(16))], (6, 3),
        kl.LSTM(4, recurrent_activation="hard_sigmoid"),
    ),
    "GRU": (
        layer("GRU", "one", consume_less="mem", batch_input_shape=[None, 6, 3], **_RECURRENT),
        _gates("one", "zrh", 3, 4), (6, 3), kl.GRU(4, recurrent_activation="hard_sigmoid", reset_after=False),
    ),
    "BatchNormalization": (
        layer("BatchNormalization", "one", mode=0, axis=-1, epsilon=1e-5, momentum=0.9, batch_input_shape=[None, 5]),
        [(f"one_{role}:0", np.abs(numbers(5, seed=at))) for at, role in
         enumerate(("gamma", "beta", "running_mean", "running_std"))],
        (5,), kl.BatchNormalization(epsilon=1e-5),
    ),
}  # fmt: skip
"""Name -> the layer, its arrays and input shape as Keras 1 wrote them, and the layer of tf_keras."""


def _reference(
    today: Any, shape: tuple[int | None, ...], arrays: list[tuple[str, Any]], version: str = "1"
) -> Any:
    """tf_keras's model of the layer, with the weights as tf_keras converts them."""
    model = tf_keras.Sequential([today])
    model.build((None, *shape))
    values = [value for _, value in arrays]
    model.set_weights(hdf5_format.preprocess_weights_for_loading(model.layers[0], values, version, None))
    return model


@pytest.mark.parametrize("name", CASES)
def test_a_layer_of_keras_1_is_the_one_that_tf_keras_makes_of_it(name: str, tmp_path: Path) -> None:
    written, arrays, shape, today = CASES[name]
    path = write(tmp_path / "old.h5", sequential(written), {"one": arrays})
    reference = _reference(today, shape, arrays)
    with open_model(path) as spec:
        assert all(one.known for one in spec.layers)
        found = [spec.weights.load(tensor) for tensor in spec.weights.tensors]
        assert [tensor.shape for tensor in spec.weights.tensors] == [value.shape for value in found]
    for ours, theirs in zip(found, reference.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    if "th" not in name:  # tf_keras cannot run those on a CPU
        spec, model = rebuilt(path)
        given = samples(spec)
        assert difference(outputs(model, given), outputs(reference, given)) < 1e-5


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_layers_for_gpus_alone_become_the_plain_ones(kind: str, wrapped: bool, tmp_path: Path) -> None:
    gates = {"LSTM": 4, "GRU": 3}[kind]
    shapes = ((3, gates * 4), (4, gates * 4), (gates * 8,))
    ways = ("forward", "backward") if wrapped else ("",)
    arrays = [
        (f"one/{way}{role}:0", numbers(*shape, seed=number))
        for number, way in enumerate(ways)
        for role, shape in zip(("kernel", "recurrent_kernel", "bias"), shapes, strict=True)
    ]
    inner = layer(f"CuDNN{kind}", "inner", units=4, return_sequences=False, go_backwards=False)
    whole = layer("Bidirectional", "one", layer=inner, merge_mode="concat") if wrapped else inner
    whole["config"] |= {"name": "one", "batch_input_shape": [None, 6, 3]}
    path = write(
        tmp_path / "gpu.h5", sequential(whole), {"one": arrays}, version="2.1.6", backend="tensorflow"
    )
    today = getattr(kl, kind)(4)
    reference = _reference(kl.Bidirectional(today) if wrapped else today, (6, 3), arrays, "2.1.6")
    spec, model = rebuilt(path)
    given = samples(spec)
    assert difference(outputs(model, given), outputs(reference, given)) < 1e-5


def test_kernels_of_theano_are_flipped(tmp_path: Path) -> None:
    written = layer("Conv2D", "one", filters=4, kernel_size=[3, 2], batch_input_shape=[None, 9, 8, 3])
    arrays = [("one/kernel:0", numbers(3, 2, 3, 4)), ("one/bias:0", numbers(4))]
    path = write(
        tmp_path / "theano.h5", sequential(written), {"one": arrays}, version="2.0.6", backend="theano"
    )
    spec, model = rebuilt(path)
    (images,) = samples(spec)
    expected = np.full((len(images), 7, 7, 4), arrays[1][1])
    for y, x, i, j in np.ndindex(7, 7, 3, 2):  # a convolution proper: the kernel meets its window reversed
        expected[:, y, x] += images[:, y + 2 - i, x + 1 - j] @ arrays[0][1][i, j]
    np.testing.assert_allclose(outputs(model, [images])[0], expected, rtol=1e-4, atol=1e-5)


def _adam(shapes: list[tuple[int, ...]]) -> tuple[dict[str, Any], list[Any]]:
    """Compile settings, and arrays whose numbers say which they are: 1, 2 ... for m, 101, 102 ... for v."""
    settings = {
        "loss": "mse",
        "optimizer_config": {"class_name": "Adam", "config": {"lr": 0.01, "beta_1": 0.9, "beta_2": 0.99}},
    }
    slots = [np.full(shape, start + at, "float32") for start in (1, 101) for at, shape in enumerate(shapes)]
    return settings, [np.float32(70), *slots]


@pytest.mark.parametrize(("version", "order"), [("2.0.5", (1, 0)), ("2.0.6", (0, 1)), ("1.2.2", (1, 0))])
def test_slots_follow_the_names_until_2_0_5_and_the_file_from_then_on(
    version: str, order: tuple[int, int], tmp_path: Path
) -> None:
    layers = [
        layer("Dense", name, units=4, output_dim=4, batch_input_shape=[None, 4]) for name in ("zebra", "ant")
    ]
    arrays = {name: [(f"{name}/kernel:0", numbers(4, 4))] for name in ("zebra", "ant")}
    for one in layers:
        one["config"] |= {"use_bias": False, "bias": False}
    path = write(
        tmp_path / "adam.h5", sequential(*layers), arrays, version=version, optimizer=_adam([(4, 4), (4, 4)])
    )
    with open_model(path) as spec:
        found = {(slot.layer, slot.slot): spec.weights.load(slot)[0, 0] for slot in spec.weights.slots}
        assert spec.training is not None
        assert spec.training.steps_taken == 70
    places = dict(zip(("zebra", "ant"), order, strict=True))
    assert found == {
        (name, slot): start + at
        for name, at in places.items()
        for slot, start in (("momentum", 1), ("velocity", 101))
    }


def test_slots_of_weights_in_several_arrays_are_put_together_as_they_are(tmp_path: Path) -> None:
    written, arrays, _, _ = CASES["LSTM"]
    names = sorted(range(len(arrays)), key=lambda at: arrays[at][0])
    optimizer = _adam([arrays[at][1].shape for at in names])
    path = write(tmp_path / "lstm.h5", sequential(written), {"one": arrays}, optimizer=optimizer)
    with open_model(path) as spec:
        assert spec.weights.slot_problem is None
        kernel = next(slot for slot in spec.weights.slots if (slot.role, slot.slot) == ("kernel", "momentum"))
        values = spec.weights.load(kernel)
    order = [names.index(at) + 1 for at in (0, 6, 3, 9)]  # W_i, W_f, W_c, W_o
    np.testing.assert_array_equal(values, np.repeat(np.array(order, "float32"), 4)[None].repeat(3, axis=0))


def test_slots_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    written, arrays, _, _ = CASES["Dense"]
    optimizer = _adam([(5, 3), (4,)])
    path = write(tmp_path / "adam.h5", sequential(written), {"one": arrays}, optimizer=optimizer)
    with open_model(path) as spec:
        assert not spec.weights.slots
        assert spec.weights.slot_problem is not None
        assert "shape" in spec.weights.slot_problem


@pytest.mark.parametrize(
    ("mode", "kind"), [("sum", "Add"), ("mul", "Multiply"), ("concat", "Concatenate"), ("dot", "Dot")]
)
def test_merge_layers_become_the_layer_of_their_mode(mode: str, kind: str, tmp_path: Path) -> None:
    def node(*names: str) -> list[Any]:
        return [[[name, 0, 0] for name in names]]

    items = [
        {**layer("InputLayer", name, batch_input_shape=[None, 4], input_dtype="float32"), "inbound_nodes": []}
        for name in ("a", "b")
    ]
    merge = layer("Merge", "merge", mode=mode, mode_type="raw", concat_axis=-1, dot_axes=1, output_shape=None)
    items.append({**merge, "inbound_nodes": node("a", "b")})
    for item in items:
        item["name"] = item["config"]["name"]
    config = {"class_name": "Model", "config": {"name": "two", "layers": items, "input_layers": [["a", 0, 0], ["b", 0, 0]],
                                                "output_layers": [["merge", 0, 0]]}}  # fmt: skip
    with open_model(write(tmp_path / "merge.h5", config, {"a": [], "b": [], "merge": []})) as spec:
        assert spec.layer("merge").kind == kind
        build(spec)


def test_normalisation_by_batch_at_inference_is_not_built(tmp_path: Path) -> None:
    written, arrays, _, _ = CASES["BatchNormalization"]
    written = {**written, "config": {**written["config"], "mode": 2}}
    with open_model(write(tmp_path / "mode.h5", sequential(written), {"one": arrays})) as spec:
        assert not spec.layer("one").known
        assert "mode" in str(spec.layer("one").problem)

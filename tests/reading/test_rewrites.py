"""What older Kerases wrote, rewrite by rewrite: a small file each, and today's settings that must come of it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from analyzers.errors import InputError
from analyzers.reading import open_model
from analyzers.spec import ModelSpec, TensorRef
from analyzers.spec.shapes import infer_shapes
from tests.reading.old_files import layer, numbers, sequential, write

L2 = {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.5}


def made(kind: str, **config: Any) -> dict[str, Any]:
    return {"kind": kind, "config": config}


LAYERS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "renamed convolution": (
        layer("Convolution3D", "x", nb_filter=2, kernel_dim1=1, kernel_dim2=2, kernel_dim3=3, subsample=[1, 1, 2],
              border_mode="same", dim_ordering="tf", init="he_uniform", bias=False, b_regularizer=L2, W_constraint=None),
        "Conv3D",
        {"filters": 2, "kernel_size": [1, 2, 3], "strides": [1, 1, 2], "padding": "same", "data_format": "channels_last",
         "kernel_initializer": made("HeUniform"), "use_bias": False, "bias_regularizer": made("L1L2", l1=0.0, l2=0.5)},
    ),
    "dilated convolution": (
        layer("AtrousConvolution2D", "x", nb_filter=2, nb_row=3, nb_col=3, atrous_rate=[2, 2], dim_ordering="th"),
        "Conv2D", {"dilation_rate": [2, 2], "data_format": "channels_first"},
    ),
    "pooling": (
        layer("MaxPooling1D", "x", pool_length=3, stride=2, border_mode="valid"),
        "MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": "valid"},
    ),
    "dropout": (layer("Dropout", "x", p=0.25), "Dropout", {"rate": 0.25}),
    "noise": (layer("GaussianNoise", "x", sigma=0.5), "GaussianNoise", {"stddev": 0.5}),
    "leaky": (layer("LeakyReLU", "x", alpha=0.1), "LeakyReLU", {"negative_slope": 0.1}),
    "exponential": (layer("ELU", "x", alpha=0.1), "ELU", {"alpha": 0.1}),
    "thresholded": (layer("ThresholdedReLU", "x", theta=0.7), "ReLU", {"threshold": 0.7}),
    "upsampling": (layer("UpSampling1D", "x", length=3), "UpSampling1D", {"size": 3}),
    "recurrent dropout": (
        layer("LSTM", "x", output_dim=2, dropout_W=0.1, dropout_U=0.2, inner_init="orthogonal", forget_bias_init="one",
              inner_activation="sigmoid", U_regularizer=L2, consume_less="gpu", input_dim=3, input_length=4),
        "LSTM",
        {"units": 2, "dropout": 0.1, "recurrent_dropout": 0.2, "recurrent_initializer": made("Orthogonal"),
         "unit_forget_bias": True, "recurrent_activation": "sigmoid",
         "recurrent_regularizer": made("L1L2", l1=0.0, l2=0.5)},
    ),
    "lookup": (
        layer("Embedding", "x", input_dim=5, output_dim=2, input_length=4, init="uniform", W_regularizer=L2, dropout=0.0),
        "Embedding",
        {"input_dim": 5, "output_dim": 2, "embeddings_initializer": made("RandomUniform"),
         "embeddings_regularizer": made("L1L2", l1=0.0, l2=0.5)},
    ),
    "constraint": (
        layer("Dense", "x", output_dim=2, W_constraint={"name": "MaxNorm", "m": 3, "axis": 0}),
        "Dense", {"kernel_constraint": made("MaxNorm", max_value=3, axis=0)},
    ),
    "at every step": (layer("TimeDistributedDense", "x", output_dim=2, init="zero"), "Dense",
                      {"units": 2, "kernel_initializer": made("Zeros")}),
    "wrapper without modules": (
        layer("TimeDistributed", "x", layer=layer("Dense", "inner", units=2, activation="relu")),
        "TimeDistributed", {"layer": made("Dense", units=2, activation="relu", dtype="float32")},
    ),
    "hard sigmoid": (
        layer("GRU", "x", units=2, recurrent_activation="hard_sigmoid", time_major=False, implementation=1),
        "GRU", {"units": 2, "recurrent_activation": "legacy_hard_sigmoid", "reset_after": False},
    ),
    "listed axis": (
        layer("BatchNormalization", "x", axis=[3], fused=None, renorm=False, virtual_batch_size=None),
        "BatchNormalization", {"axis": 3},
    ),
    "attention": (
        layer("MultiHeadAttention", "x", num_heads=2, key_dim=3, attention_axes=[1], query_shape=[None, 4, 5],
              key_shape=[None, 4, 5], value_shape=[None, 4, 5], softmax_robust_masking=False),
        "MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "attention_axes": [1]},
    ),
    "groups": (
        layer("DepthwiseConv2D", "x", kernel_size=[3, 3], groups=1, filters=None, kernel_initializer="glorot_uniform"),
        "DepthwiseConv2D", {"kernel_size": [3, 3]},
    ),
    "policy": (
        layer("Dense", "x", units=2, dtype={"class_name": "Policy", "config": {"name": "mixed_float16"}}),
        "Dense", {"units": 2, "dtype": "mixed_float16"},
    ),
    "augmentation": (
        layer("RandomFlip", "x", mode="horizontal", rng_type="stateful"), "RandomFlip", {"mode": "horizontal"},
    ),
    "shared slopes": (layer("PReLU", "x", init="zero", shared_axes=[1, 2]), "PReLU",
                      {"shared_axes": [1, 2], "alpha_initializer": made("Zeros")}),
    "somebody's normalisation": (
        layer("InstanceNormalization", "x", axis=-1, epsilon=0.1, center=True, scale=False),
        "InstanceNormalization", {"axis": -1, "epsilon": 0.1, "center": True, "scale": False},
    ),
    "registered by tf.keras": (
        layer("Custom>CustomScaleLayer", "x", scale=0.1), "CustomScaleLayer", {"scale": 0.1},
    ),
    "bins": (
        layer("Discretization", "x", bin_boundaries=[0.0, 1.0], num_bins=3, epsilon=0.01, output_mode="int"),
        "Discretization", {"bin_boundaries": [0.0, 1.0]},
    ),
    "matrix as initialiser": (
        layer("Embedding", "x", input_dim=2, output_dim=2, embeddings_initializer={
            "class_name": "Constant", "config": {"value": [[1.0, 3.0], [1.0, 3.0]]}}),
        "Embedding", {"embeddings_initializer": made("RandomNormal", mean=2.0, stddev=1.0, seed=None)},
    ),
    "no activation": (layer("Dense", "x", units=2, activation="identity"), "Dense", {"activation": "linear"}),
    "scaled initialiser": (
        layer("Dense", "x", units=2, kernel_initializer={
            "class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_in", "distribution": "normal"}}),
        "Dense", {"kernel_initializer": made("HeNormal")},
    ),
}  # fmt: skip
"""What it is about -> the layer as the file has it, today's kind, some of today's settings."""

GONE = frozenset(
    {"p", "sigma", "theta", "nb_filter", "nb_row", "nb_col", "subsample", "border_mode", "dim_ordering", "init", "bias",
     "pool_length", "stride", "length", "inner_init", "inner_activation", "forget_bias_init", "consume_less",
     "input_length", "dropout_W", "dropout_U", "time_major", "implementation", "fused", "virtual_batch_size",
     "query_shape", "key_shape", "value_shape", "softmax_robust_masking", "rng_type", "num_bins", "batch_input_shape"}
)  # fmt: skip
"""Settings that no layer of today has."""


def read_one(item: dict[str, Any], tmp_path: Path, version: str = "2.2.4") -> Any:
    item["config"].setdefault("batch_input_shape", [None, 8, 8, 3])
    with open_model(write(tmp_path / "model.h5", sequential(item), {}, version=version)) as spec:
        return spec.layer("x")


@pytest.mark.parametrize("name", LAYERS)
def test_a_setting_goes_by_todays_name(name: str, tmp_path: Path) -> None:
    item, kind, expected = LAYERS[name]
    found = read_one(item, tmp_path)
    assert found.known
    assert found.kind == kind
    for key, value in expected.items():
        told = found.config[key]
        if isinstance(value, dict) and isinstance(told, dict) and "activation" in value["config"]:
            told = {"kind": told["kind"], "config": {at: told["config"][at] for at in value["config"]}}
        assert told == value, key
    assert not GONE & set(found.config)


@pytest.mark.parametrize("item", [
    layer("MaxoutDense", "x", output_dim=2, nb_feature=3),
    layer("Highway", "x"),
    layer("LocallyConnected2D", "x", filters=2, kernel_size=[1, 1]),
    layer("BatchNormalization", "x", mode=1),
    layer("BatchNormalization", "x", renorm=True),
    layer("SplineWeight1D", "x", units=3),
    layer("TimeDistributed", "x", layer=layer("SplineWeight1D", "inner")),
    layer("RNN", "x", cell=layer("StackedRNNCells", "stack", cells=[layer("SplineCell", "inner")])),
    layer("Merge", "x", mode="lambda"),
], ids=lambda item: str(item["class_name"]))  # fmt: skip
def test_what_nothing_of_today_computes_says_why(item: dict[str, Any], tmp_path: Path) -> None:
    found = read_one(item, tmp_path)
    assert not found.known
    assert found.problem


def node(*names: str) -> list[Any]:
    return [[[name, 0, 0, {}] for name in names]]


def functional(items: list[dict[str, Any]], inputs: Any, outputs: Any) -> dict[str, Any]:
    for item in items:
        item["name"] = item["config"]["name"]
        item.setdefault("inbound_nodes", [])
    config = {"name": "m", "layers": items, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "config": config}


def test_one_input_and_output_need_no_list(tmp_path: Path) -> None:
    items = [
        layer("InputLayer", "a", batch_input_shape=[None, 4], ragged=False),
        {**layer("Dense", "b", units=2), "inbound_nodes": node("a")},
    ]
    with open_model(
        write(tmp_path / "m.h5", functional(items, ["a", 0, 0], ["b", 0, 0]), {}, version="2.4.0")
    ) as spec:
        assert (spec.inputs, spec.outputs) == ((TensorRef("a"),), (TensorRef("b"),))


def test_ragged_inputs_are_not_built(tmp_path: Path) -> None:
    items = [layer("InputLayer", "a", batch_input_shape=[None, None], ragged=True)]
    config = functional(items, [["a", 0, 0]], [["a", 0, 0]])
    with open_model(write(tmp_path / "m.h5", config, {}, version="2.4.0")) as spec:
        assert "ragged" in str(spec.layer("a").problem)


def test_tensors_behind_a_recurrent_layers_sequence_are_its_states(tmp_path: Path) -> None:
    items = [
        layer("InputLayer", "a", batch_input_shape=[None, 5, 4]),
        layer("InputLayer", "h", batch_input_shape=[None, 3]),
        layer("InputLayer", "c", batch_input_shape=[None, 3]),
        {**layer("LSTM", "l", units=3), "inbound_nodes": node("a", "h", "c")},
    ]
    config = functional(items, [["a", 0, 0], ["h", 0, 0], ["c", 0, 0]], [["l", 0, 0]])
    with open_model(write(tmp_path / "m.h5", config, {}, version="2.2.4")) as spec:
        (call,) = spec.layer("l").inbound
        assert call.args == (TensorRef("a"),)
        assert call.kwargs == {"initial_state": (TensorRef("h"), TensorRef("c"))}


def stack(**config: Any) -> dict[str, Any]:
    cells = [layer("SimpleRNNCell", f"c{units}", units=units, activation="tanh") for units in (3, 2)]
    return layer("RNN", "x", cell=layer("StackedRNNCells", "stack", cells=cells), **config)


def test_a_stack_of_cells_is_a_layer_for_each(tmp_path: Path) -> None:
    found = read_one(
        stack(return_sequences=False, go_backwards=True, batch_input_shape=[None, 5, 4]), tmp_path
    )
    assert [one.kind for one in found.model.layers] == ["InputLayer", "SimpleRNN", "SimpleRNN"]
    first, second = (one.config for one in found.model.layers[1:])
    assert (first["units"], first["return_sequences"], first["go_backwards"]) == (3, True, True)
    assert (second["units"], second["return_sequences"], second["go_backwards"]) == (2, False, False)


def test_a_stack_of_cells_that_takes_or_gives_states_stays_one_layer(tmp_path: Path) -> None:
    assert read_one(stack(return_state=True, batch_input_shape=[None, 5, 4]), tmp_path).model is None
    items = [
        layer("InputLayer", "a", batch_input_shape=[None, 5, 4]),
        layer("InputLayer", "h", batch_input_shape=[None, 3]),
        layer("InputLayer", "c", batch_input_shape=[None, 2]),
        {**stack(batch_input_shape=[None, 5, 4]), "inbound_nodes": node("a", "h", "c")},
    ]
    config = functional(items, [["a", 0, 0], ["h", 0, 0], ["c", 0, 0]], [["x", 0, 0]])
    with open_model(write(tmp_path / "m.h5", config, {}, version="2.4.0")) as spec:
        assert spec.layer("x").model is None


def test_a_merge_may_head_a_sequential(tmp_path: Path) -> None:
    def branch(name: str, inputs: int) -> dict[str, Any]:
        dense = layer("Dense", name, output_dim=3, batch_input_shape=[None, inputs], bias=True)
        return {"class_name": "Sequential", "config": [dense, layer("Dropout", f"{name}_drop", p=0.5)]}

    merge = layer(
        "Merge", "merge_1", mode="concat", concat_axis=-1, dot_axes=-1, mode_type="raw", output_shape=None,
        layers=[branch("left", 5), branch("right", 4)],
    )  # fmt: skip
    arrays = {
        name: [(f"{name}_W:0", numbers(inputs, units)), (f"{name}_b:0", numbers(units))]
        for name, inputs, units in (("left", 5, 3), ("right", 4, 3), ("head", 6, 2))
    }
    config = sequential(merge, layer("Dense", "head", output_dim=2, bias=True))
    with open_model(write(tmp_path / "merge.h5", config, arrays)) as spec:
        assert spec.kind == "functional"
        assert [spec.layer(ref.layer).config["batch_shape"] for ref in spec.inputs] == [[None, 5], [None, 4]]
        assert spec.layer("merge_1").kind == "Concatenate"
        assert infer_shapes(spec)["head", 0] == ((None, 2),)
        found = {(one.layer, one.role): one.shape for one in spec.weights.tensors}
        assert found["right", "kernel"] == (4, 3)
        assert found["head", "kernel"] == (6, 2)


UNSHAPED: dict[str, tuple[list[dict[str, Any]], dict[str, tuple[int, ...]], list[int | None]]] = {
    "Dense": (
        [layer("Dropout", "d", rate=0.1), layer("Dense", "a", units=3)], {"a": (7, 3)}, [None, 7],
    ),
    "LSTM": ([layer("LSTM", "a", units=3)], {"a": (7, 12)}, [None, None, 7]),
    "Embedding": ([layer("Embedding", "a", input_dim=9, output_dim=3)], {"a": (9, 3)}, [None, None]),
    "Conv2D": ([layer("Conv2D", "a", filters=2, kernel_size=[3, 3])], {"a": (3, 3, 1, 2)}, [None, None, None, 1]),
    "channels first": (
        [layer("Conv2D", "a", filters=2, kernel_size=[3, 3], data_format="channels_first")],
        {"a": (3, 3, 1, 2)}, [None, 1, None, None],
    ),
    "Conv2D to Dense": (
        [layer("GaussianNoise", "n", stddev=0.1), layer("Conv2D", "a", filters=2, kernel_size=[3, 3], padding="valid"),
         layer("MaxPooling2D", "p", pool_size=[2, 2], strides=[2, 2], padding="valid"), layer("Flatten", "f"),
         layer("Dropout", "d", rate=0.5), layer("Dense", "b", units=5)],
        {"a": (3, 3, 3, 2), "b": (13 * 13 * 2, 5)}, [None, 28, 28, 3],
    ),
    "Conv1D to Dense": (
        [layer("Conv1D", "a", filters=2, kernel_size=[3], padding="same"), layer("Flatten", "f"),
         layer("Dense", "b", units=5)],
        {"a": (3, 6, 2), "b": (40 * 2, 5)}, [None, 40, 6],
    ),
}  # fmt: skip
"""First layer -> the layers, the shapes of their kernels, the input shape that follows."""


def unshaped(name: str, tmp_path: Path) -> Path:
    items, kernels, _ = UNSHAPED[name]
    arrays = {layer: [(f"{layer}/kernel:0", numbers(*shape))] for layer, shape in kernels.items()}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": items}}
    return write(tmp_path / "model.h5", config, arrays, version="2.4.0")


@pytest.mark.parametrize("name", UNSHAPED)
def test_an_input_shape_that_the_file_has_not_is_that_of_the_first_kernel(name: str, tmp_path: Path) -> None:
    with open_model(unshaped(name, tmp_path)) as spec:
        assert spec.layers[0].kind == "InputLayer"
        assert spec.layers[0].config["batch_shape"] == UNSHAPED[name][2]


def test_without_kernels_a_model_without_a_shape_is_refused(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer("Dense", "a", units=3)]}}
    path = write(tmp_path / "model.h5", config, {}, version="2.4.0")
    with pytest.raises(InputError) as caught, open_model(path):
        pass
    assert caught.value.code == "unbuilt-model"


def opaque(spec: ModelSpec) -> tuple[int | None, ...]:
    """The shape behind the layer that is not known."""
    assert not spec.layer("opaque").known
    return infer_shapes(spec)["opaque", 0][0]


def test_a_lambda_with_a_declared_shape_keeps_its_place(tmp_path: Path) -> None:
    function = layer("Lambda", "opaque", function="euclidean", function_type="function", output_shape=[7, 2],
                     output_shape_type="raw", batch_input_shape=[None, 5])  # fmt: skip
    config = sequential(function, layer("Dense", "head", units=3))
    with open_model(write(tmp_path / "model.h5", config, {}, version="2.2.4")) as spec:
        assert opaque(spec) == (None, 7, 2)
        assert infer_shapes(spec)["head", 0] == ((None, 7, 3),)


def keras_3(config: dict[str, Any], path: Path, *, separator: str = "/") -> Path:
    """A ``.keras`` file with one Dense layer's weights, its names joined as on some system."""
    inner = path.with_suffix(".h5")
    with h5py.File(inner, "w") as file:
        group = file.create_group(separator.join(("layers", "dense")))
        for number, value in enumerate((numbers(6, 3), numbers(3))):
            group.create_group("vars") if "vars" not in group else None
            group["vars"][str(number)] = value
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.5.0", "date_saved": ""}))
        archive.write(inner, "model.weights.h5")
    return path


def tensor(name: str, shape: list[int | None]) -> dict[str, Any]:
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": shape, "dtype": "float32", "keras_history": [name, 0, 0]},
    }


def current(kind: str, name: str, *tensors: Any, **config: Any) -> dict[str, Any]:
    """A serialized layer of a functional model of Keras 3."""
    nodes = [{"args": list(tensors), "kwargs": {}}] if tensors else []
    return {"class_name": kind, "name": name, "config": {"name": name, "trainable": True, **config},
            "inbound_nodes": nodes}  # fmt: skip


def test_who_takes_an_unknown_layers_output_says_its_shape(tmp_path: Path) -> None:
    layers = [
        current("InputLayer", "a", batch_shape=[None, 4]),
        current("Spline", "opaque", tensor("a", [None, 4]), knots=3),
        current("Dense", "dense", tensor("opaque", [None, 6]), units=3),
    ]
    config = {"class_name": "Functional", "config": {"name": "m", "layers": layers, "input_layers": [["a", 0, 0]],
                                                     "output_layers": [["dense", 0, 0]]}}  # fmt: skip
    with open_model(keras_3(config, tmp_path / "model.keras")) as spec:
        assert opaque(spec) == (None, 6)
        assert infer_shapes(spec)["dense", 0] == ((None, 3),)


def test_in_a_sequential_the_next_layer_says_it(tmp_path: Path) -> None:
    layers = [
        current("InputLayer", "a", batch_shape=[None, 4]),
        current("Spline", "opaque", knots=3),
        {**current("Dense", "dense", units=3), "build_config": {"input_shape": [None, 6]}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    with open_model(keras_3(config, tmp_path / "model.keras")) as spec:
        assert opaque(spec) == (None, 6)


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_names_may_be_joined_as_on_windows(separator: str, tmp_path: Path) -> None:
    layers = [current("InputLayer", "a", batch_shape=[None, 6]), current("Dense", "dense", units=3)]
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    with open_model(keras_3(config, tmp_path / "model.keras", separator=separator)) as spec:
        found = {one.role: spec.weights.load(one) for one in spec.weights.tensors}
        np.testing.assert_array_equal(found["kernel"], numbers(6, 3))
        np.testing.assert_array_equal(found["bias"], numbers(3))


def tensorflow(name: str, function: str, nodes: Any) -> dict[str, Any]:
    return {**layer("TFOpLambda", name, function=function), "inbound_nodes": nodes}


def test_operands_that_the_file_has_lost_are_said_to_be(tmp_path: Path) -> None:
    items = [
        layer("InputLayer", "a", batch_input_shape=[None, 4]),
        tensorflow("b", "einsum", [["_CONSTANT_VALUE", -1, "bi,bi->b", {}]]),
        tensorflow("c", "__operators__.ne", [["a", 0, 0, {}]]),
    ]
    config = functional(items, [["a", 0, 0]], [["b", 0, 0], ["c", 0, 0]])
    with open_model(write(tmp_path / "m.h5", config, {}, version="2.9.0")) as spec:
        for name in "bc":
            assert "does not say which tensors" in str(spec.layer(name).problem)


def reshaped(shape: list[Any], tmp_path: Path, extra: tuple[dict[str, Any], ...] = ()) -> ModelSpec:
    """A reshape of (batch, 6, None, 8) by sizes out of it."""
    items = [
        layer("InputLayer", "a", batch_input_shape=[None, 6, None, 8]),
        tensorflow("sizes", "compat.v1.shape", [["a", 0, 0, {"name": None, "out_type": "int32"}]]),
        *(
            tensorflow(f"size_{axis}", "__operators__.getitem", [["sizes", 0, 0, {"slice_spec": axis}]])
            for axis in range(4)
        ),
        *extra,
        tensorflow("b", "reshape", [["a", 0, 0, {"shape": shape}]]),
    ]
    config = functional(items, [["a", 0, 0]], [["b", 0, 0]])
    with open_model(write(tmp_path / "m.h5", config, {}, version="2.9.0")) as spec:
        return spec


def at(axis: int) -> list[Any]:
    return [f"size_{axis}", 0, 0]


@pytest.mark.parametrize(
    ("shape", "target"),
    [
        ([at(0), at(1), at(2), at(3)], [6, -1, 8]),
        ([at(0), -1, 2], [-1, 2]),
        ([-1, at(3), 6, at(2)], [8, 6, -1]),
        ([at(0), at(2), -1], None),
        ([at(1), at(0), -1, 8], None),
        ([["product", 0, 0], at(3)], None),
    ],
)
def test_sizes_of_tensors_are_written_into_the_reshape_that_uses_them(
    shape: list[Any], target: list[int] | None, tmp_path: Path
) -> None:
    product = tensorflow("product", "math.multiply", [["size_0", 0, 0, {"y": at(1)}]])
    spec = reshaped(shape, tmp_path, () if target else (product,))
    found = spec.layer("b")
    assert found.known == (target is not None)
    if target is not None:
        assert (found.kind, found.config["target_shape"]) == ("Reshape", target)
        assert [one.name for one in spec.layers] == ["a", "b"]


@pytest.mark.parametrize("function", ["math.multiply", "concat"])
def test_sizes_that_grow_without_end_are_given_up(function: str, tmp_path: Path) -> None:
    """A hundred layers, each of which squares the size before it or joins the sizes before it to themselves."""
    before = "size_1" if function == "math.multiply" else "sizes"
    grown = []
    for number in range(100):
        node: Any = [[before, 0, 0, {"y": [before, 0, 0]}]]
        if function == "concat":
            node = [[[before, 0, 0, {"axis": 0}], [before, 0, 0, {"axis": 0}]]]
        grown.append(tensorflow(f"grown_{number}", function, node))
        before = f"grown_{number}"
    spec = reshaped([at(0), [before, 0, 0]], tmp_path, tuple(grown))
    assert not spec.layer("b").known

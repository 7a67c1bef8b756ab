"""The allowlist against Keras's own constructors, and what it refuses."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import pytest

from analyzers.building import Unbuildable, make_loss, make_optimizer, problems
from analyzers.building.layers import LAYERS
from analyzers.building.objects import CONSTRAINTS, INITIALIZERS, REGULARIZERS, Recipe
from analyzers.building.training import LOSSES, OPTIMIZERS
from analyzers.spec import Call, Json, LayerSpec, ModelSpec, ObjectSpec, TensorRef
from tests.building.samples import Sample

_OURS = {"self", "name", "kwargs", "learning_rate"}
"""Constructor arguments that no spec decides."""
_ANYWHERE = {"dtype", "activity_regularizer", "bounding_box_format", "rms_scaling", "data_format", "args"}
"""Arguments that constructors take through ``**kwargs``."""
_LEFT_OUT = {"Bidirectional": {"weights"}, "LSTM": {"use_cudnn"}, "GRU": {"use_cudnn"}}
_TABLES = (LAYERS, INITIALIZERS, REGULARIZERS, CONSTRAINTS, LOSSES, OPTIMIZERS)


def _recipes() -> Iterator[tuple[str, Recipe]]:
    for table in _TABLES:
        yield from table.items()


def _parameters(kind: str, recipe: Recipe) -> Mapping[str, inspect.Parameter]:
    made: Any = keras.layers.Bidirectional if kind == "Bidirectional" else recipe.make
    return inspect.signature(made.__init__).parameters


@pytest.mark.parametrize(
    ("kind", "recipe"), list(_recipes()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_arguments_are_those_of_the_constructor(kind: str, recipe: Recipe) -> None:
    theirs = _parameters(kind, recipe)
    missing = set(theirs) - set(recipe.arguments) - _OURS - _LEFT_OUT.get(kind, set()) - {"args"}
    assert not missing
    assert set(recipe.arguments) - set(theirs) <= _ANYWHERE


@pytest.mark.parametrize(
    ("kind", "recipe"), list(_recipes()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_defaults_are_those_of_the_constructor(kind: str, recipe: Recipe) -> None:
    for name, parameter in _parameters(kind, recipe).items():
        if name not in recipe.arguments or name == "dtype":
            continue
        argument = recipe.arguments[name]
        if argument.required:
            assert parameter.default is inspect.Parameter.empty
        else:
            assert _plain(argument.default) == _plain(parameter.default) or _alike(
                argument.default, parameter.default
            )


_NAMES = {"glorot_uniform": "GlorotUniform", "zeros": "Zeros", "ones": "Ones", "orthogonal": "Orthogonal",
          "uniform": "RandomUniform"}  # fmt: skip


def _plain(value: Any) -> Any:
    """A default in one form: nested objects by kind, tuples as lists, equal sizes as one."""
    if isinstance(value, Mapping):
        return value["kind"]
    if isinstance(value, str):
        return _NAMES.get(value, value)
    if isinstance(value, tuple):
        return list(value)
    return value


def _alike(ours: Any, theirs: Any) -> bool:
    """A size given once for all axes."""
    while isinstance(theirs, list | tuple) and len(set(theirs)) == 1:
        theirs = theirs[0]
    return bool(ours == theirs)


def _refusal(kind: str, config: dict[str, Json]) -> str:
    found = problems(Sample(kind, config).spec())
    assert {path for path, _ in found} == {"layer"}
    return found[0][1]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Lambda", {"function": "x"}),
        ("TFSMLayer", {"filepath": "/etc"}),
        ("Dense", {}),
        ("Dense", {"units": -1}),
        ("Dense", {"units": True}),
        ("Dense", {"units": 2.5}),
        ("Dense", {"units": 3, "activation": "get_file"}),
        ("Dense", {"units": 3, "activation": {"kind": "Lambda", "config": {}}}),
        ("Dense", {"units": 3, "activation": {"class_name": "function", "config": "load_model"}}),
        ("Dense", {"units": 3, "kernel_initializer": "zeros"}),
        ("Dense", {"units": 3, "kernel_initializer": {"kind": "get_file", "config": {}}}),
        ("Dense", {"units": 3, "kernel_initializer": {"kind": "Constant", "config": {"value": {"a": 1}}}}),
        ("Dense", {"units": 3, "kernel_regularizer": {"kind": "L2", "config": {"l2": float("inf")}}}),
        ("Dense", {"units": 3, "dtype": "int4"}),
        ("Dense", {"units": 3, "dtype": {"kind": "QuantizedDTypePolicy", "config": {"name": "int8"}}}),
        ("Dense", {"units": 3, "lora_rank": 2}),
        ("Dense", {"units": 3, "surprise": 2}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "strides": 2**31}),
        ("Conv2D", {"filters": 3, "kernel_size": [3, 3, 3]}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "strides": 2, "dilation_rate": 2}),
        ("Conv2D", {"filters": 3, "kernel_size": 3000}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "padding": {"kind": "Dense"}}),
        ("AveragePooling2D", {"pool_size": 2**16, "padding": "same"}),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2**14}),
        ("UpSampling2D", {"size": 2**16}),
        ("ZeroPadding2D", {"padding": 2**16}),
        ("Dropout", {"rate": 1.5}),
        ("Dropout", {"rate": 0.5, "seed": {"class_name": "SeedGenerator", "config": {}}}),
        ("Rescaling", {"scale": {"class_name": "__tensor__"}}),
        ("Normalization", {"mean": [0.0] * (2**16 + 1), "variance": 1.0}),
        ("LSTM", {"units": 3, "stateful": 2}),
        ("Bidirectional", {"layer": {"kind": "Dense", "config": {"units": 3}}}),
        ("TimeDistributed", {"layer": {"kind": "Lambda", "config": {}}}),
        ("TimeDistributed", {"layer": None}),
        ("RandomRotation", {"factor": "0.1"}),
        ("CategoryEncoding", {}),
        ("CategoryEncoding", {"num_tokens": 3, "sparse": True}),
        ("Discretization", {"num_bins": 3}),
        ("SpectralNormalization", {"layer": {"kind": "Lambda", "config": {}}}),
        ("SpectralNormalization", {"layer": {"kind": "Dense", "config": {"units": 3}}, "power_iterations": 10**6}),
        ("Einsum", {"subscripts": "bhwc,__import__->bhw"}),
        ("Einsum", {"subscripts": "..b..,b->b"}),
        ("Einsum", {"subscripts": "bh"}),
        ("Split", {"indices_or_sections": 10**6, "axis": 1}),
        ("Unstack", {"num": 2, "axis": 1}),
        ("Pad", {"pad_width": [[0, 0], [0, 2**20], [0, 0], [0, 0]]}),
        ("Pad", {"pad_width": 1}),
        ("Repeat", {"repeats": 2**20, "axis": 1}),
        ("OneHot", {"num_classes": 2**31 - 1}),
        ("Resize", {"size": [2**16, 2**16]}),
        ("MaxPool", {"pool_size": 2**16}),
        ("ExtractPatches", {"size": 2, "strides": 0}),
        ("SVD", {"compute_uv": False}),
        ("Cumsum", {"axis": 1, "dtype": {"kind": "x"}}),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_bad_settings_are_refused(kind: str, config: dict[str, Json]) -> None:
    assert _refusal(kind, config)


def test_refusals_name_the_argument() -> None:
    assert _refusal("Dense", {"units": "many"}) == "units: 'many' is not a whole number"
    assert "kernel_initializer" in _refusal(
        "Dense", {"units": 3, "kernel_initializer": {"kind": "Magic", "config": {}}}
    )


def test_an_unknown_layer_keeps_the_readers_reason() -> None:
    layer = LayerSpec(
        "a", "Mystery", {}, (Call((TensorRef("in"),)),), path="a", known=False, problem="its code is not here"
    )
    spec = Sample("Dense", {"units": 3}).spec()
    spec = ModelSpec("m", "functional", (*spec.layers, layer), spec.inputs, spec.outputs)
    assert ("a", "its code is not here") in problems(spec)


def test_loops_written_out_have_a_limit() -> None:
    sample = Sample("SimpleRNN", {"units": 3, "unroll": True}, ((None, 513, 2),))
    assert "513 steps" in problems(sample.spec())[0][1]
    assert problems(Sample("SimpleRNN", {"units": 3, "unroll": True}, ((None, 512, 2),)).spec()) == ()


def test_inputs_have_a_limit() -> None:
    assert "elements" in problems(Sample("Flatten", inputs=((None, 5000, 5000, 3),)).spec())[0][1]
    many = Sample("Add", inputs=((None, 2),) * 257, merged=True)
    assert "257 tensors" in problems(many.spec())[0][1]


def test_losses_and_optimizers_outside_the_tables_are_refused() -> None:
    with pytest.raises(Unbuildable, match="no loss"):
        make_loss(ObjectSpec("MyLoss"))
    with pytest.raises(Unbuildable, match="from_logits"):
        make_loss(ObjectSpec("BinaryCrossentropy", {"from_logits": "yes"}))
    with pytest.raises(Unbuildable, match="no optimizer"):
        make_optimizer(ObjectSpec("Schedule"), 0.1)


def test_the_optimizers_rate_is_ours_and_can_be_assigned() -> None:
    schedule: Json = {"kind": "CosineDecay", "config": {}}
    config = {"learning_rate": schedule, "momentum": 0.9, "name": "SGD", "jit_compile": True}
    optimizer = make_optimizer(ObjectSpec("SGD", config), 0.25)
    assert optimizer.momentum == 0.9
    optimizer.learning_rate.assign(0.5)
    assert float(optimizer.learning_rate) == 0.5


def test_losses_have_the_settings_of_the_spec() -> None:
    loss = make_loss(ObjectSpec("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}))
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    targets, logits = [[0.0, 1.0]], [[2.0, -1.0]]
    assert float(loss(targets, logits)) == float(expected(targets, logits))

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.building import Unbuildable, assign_weights, build
from analyzers.building.code import diff, program
from analyzers.interventions.registry import INTERVENTIONS
from analyzers.spec import ModelSpec, ObjectSpec, TensorRef
from tests.interventions.models import MODELS, straight
from tests.support import saved, spec_of, stored_spec


def run(source: str) -> keras.Model:
    """The model that a program builds, compiled."""
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, "program.py", "exec"), names)  # noqa: S102
    model: keras.Model = names["build_model"]()
    return model


def config(model: keras.Model) -> Any:
    """A model's config, with the names that Keras itself gave to operations and activations numbered anew."""
    text = json.dumps(model.get_config())
    for number, operation in enumerate(getattr(model, "operations", model.layers)):
        if not isinstance(operation, keras.Layer) or not operation.weights:
            text = text.replace(json.dumps(operation.name), f'"operation {number}"')
    return _without_nested_names(json.loads(text))


def _without_nested_names(value: Any, key: str = "layers") -> Any:
    """``value`` without the names of layers that are arguments of others."""
    if isinstance(value, list):
        return [_without_nested_names(item, key) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _without_nested_names(item, name) for name, item in value.items()}
    if key != "layers" and "registered_name" in kept:
        kept["config"].pop("name", None)
    return kept


def samples(model: keras.Model) -> list[Any]:
    random = np.random.default_rng(0)
    return [
        random.normal(size=tuple(size or 4 for size in tensor.shape)).astype("float32")
        for tensor in model.inputs
    ]


def outputs(model: keras.Model) -> list[Any]:
    given = samples(model)
    found = model(given[0] if len(given) == 1 else given, training=False)
    return [np.asarray(one) for one in (found if isinstance(found, list | tuple) else [found])]


def settings(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    return {key: value for key, value in optimizer.get_config().items() if key != "name"}


def everything(spec: ModelSpec) -> tuple[ModelSpec, frozenset[str]]:
    """The spec with every intervention applied that applies, and the layers that they touched."""
    touched: set[str] = set()
    for make in INTERVENTIONS.values():
        applied = make().apply(spec)
        if applied is not None:
            spec, touched = applied.spec, touched | set(applied.layers)
    return spec, frozenset(touched)


@pytest.mark.parametrize("name", MODELS)
def test_a_program_builds_the_same_model_that_gives_the_same_outputs(name: str, tmp_path: Path) -> None:
    original = MODELS[name]()
    file = saved(original, tmp_path)
    spec = stored_spec(file, tmp_path)
    model = run(program(spec))
    assert config(model) == config(build(spec, free_batch=False).model)
    model.load_weights(file)
    for ours, theirs in zip(outputs(model), outputs(original), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert settings(model.optimizer) == settings(original.optimizer)


@pytest.mark.parametrize("name", MODELS)
def test_a_repaired_program_builds_the_repaired_model(name: str, tmp_path: Path) -> None:
    spec, touched = everything(spec_of(MODELS[name](), tmp_path))
    built = build(spec, free_batch=False, seed=1)
    source = program(spec, marked=touched)
    model = run(source)
    assert config(model) == config(built.model)
    model.set_weights(built.model.get_weights())
    for ours, theirs in zip(outputs(model), outputs(built.model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert marked_names(source) == {path.rpartition("/")[2] for path in touched}


def marked_names(source: str) -> set[str]:
    """The names given to layers in statements that are marked as changed."""
    lines = source.splitlines()
    return {
        str(keyword.value.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and lines[node.lineno - 1].endswith("# <-- changed")
        for keyword in node.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    }


def test_a_program_reads_like_one_that_a_person_wrote(tmp_path: Path) -> None:
    assert program(spec_of(straight(), tmp_path), marked=frozenset({"fc1", "conv1", "compile"})) == EXPECTED


EXPECTED = """\
import keras
from keras import layers


def build_model() -> keras.Model:
    inputs = keras.Input(shape=(12, 12, 3), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs)  # <-- changed
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(6, (3, 1), padding="same", activation="tanh", name="conv2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(  # <-- changed
        8,
        activation="relu",
        kernel_regularizer=keras.regularizers.L2(l2=0.0001),
        name="fc1",
    )(x)
    x = layers.Dropout(0.6, name="drop")(x)
    outputs = layers.Dense(3, activation="softmax", name="predictions")(x)
    model = keras.Model(inputs, outputs, name="straight")
    model.compile(  # <-- changed
        optimizer=keras.optimizers.SGD(learning_rate=0.1, momentum=0.9),
        loss=keras.losses.CategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    return model


if __name__ == "__main__":
    build_model().summary()
"""


def test_a_diff_is_short_and_without_marks(tmp_path: Path) -> None:
    spec = spec_of(straight(), tmp_path)
    applied = INTERVENTIONS["reduce-dropout"]().apply(spec)
    assert applied is not None
    assert diff(program(spec), program(applied.spec, marked=frozenset(applied.layers))).splitlines() == [
        "--- original",
        "+++ repaired",
        "@@ -16,3 +16,3 @@",
        "     )(x)",
        '-    x = layers.Dropout(0.6, name="drop")(x)',
        '+    x = layers.Dropout(0.2, name="drop")(x)',
        '     outputs = layers.Dense(3, activation="softmax", name="predictions")(x)',
    ]


HOSTILE = [
    '"); import os; os.abort()  # ',
    "'''\"\"\"\\",
    "a\nimport os\nos.abort()\n",
    "{os.abort()}\u202e\u2028",
    "# <-- changed\n    os.abort()",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_strings_of_a_file_stay_strings(text: str, tmp_path: Path) -> None:
    spec = _renamed(spec_of(straight(), tmp_path), text)
    harmless = _renamed(spec_of(straight(), tmp_path), "harmless")
    source = program(spec, marked=frozenset({text}))
    assert _shape(source) == _shape(program(harmless))
    model = run(source)
    assert model.name == text
    assert model.layers[1].name == text


def _renamed(spec: ModelSpec, name: str) -> ModelSpec:
    first, second, *rest = spec.layers
    moved = replace(rest[0], inbound=(replace(rest[0].inbound[0], args=(TensorRef(name),)),))
    return replace(
        spec, name=name, layers=(first, replace(second, name=name, path=name), moved, *rest[1:]),
        training=replace(spec.training, metrics=(name,)) if spec.training else None,
    )  # fmt: skip


def _shape(source: str) -> list[str]:
    """The kinds of a program's syntax nodes, in order."""
    return [type(node).__name__ for node in ast.walk(ast.parse(source))]


def test_names_of_nested_models_and_shared_layers_become_plain_identifiers(tmp_path: Path) -> None:
    inputs = keras.Input((4, 4, 1))
    twice = layers.Conv2D(1, 3, padding="same", name="2 класс-class")
    inner = keras.Sequential([layers.Flatten(name="f")], name="Модель import os")
    model = keras.Model(inputs, inner(twice(twice(inputs))), name="build_model")
    source = program(spec_of(model, tmp_path))
    assert source.isascii() is False
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert names <= {
        "keras",
        "layers",
        "inputs",
        "x",
        "outputs",
        "build_import_os",
        "layer_2_class",
        "build_model",
        "__name__",
    }
    assert config(run(source)) == config(model)


def test_a_loss_that_is_not_of_keras_leaves_compiling_to_the_reader(tmp_path: Path) -> None:
    spec = spec_of(straight(), tmp_path)
    assert spec.training is not None
    training = replace(spec.training, losses=(ObjectSpec("my\nloss"),))
    source = program(replace(spec, training=training))
    assert '# "my\\nloss" is not part of Keras' in source
    assert not run(source).compiled


def test_an_uncompiled_model_gives_a_program_without_compiling(tmp_path: Path) -> None:
    source = program(replace(spec_of(straight(), tmp_path), training=None))
    assert "compile" not in source


def test_a_schedule_is_part_of_the_program(tmp_path: Path) -> None:
    model = straight()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    optimizer = run(program(spec_of(model, tmp_path))).optimizer
    assert settings(optimizer) == settings(model.optimizer)


def test_a_fixed_batch_size_and_other_dtypes_are_kept(tmp_path: Path) -> None:
    inputs = keras.Input((8,), batch_size=4, dtype="int32")
    x = layers.Embedding(10, 3, name="words")(inputs)
    x, state = layers.GRU(3, return_state=True, name="gru")(x)
    x = layers.Concatenate(name="both")([x, state])
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="bi")(
        layers.RepeatVector(2, name="r")(x)
    )
    x = layers.MultiHeadAttention(2, 3, name="mha")(x, x, use_causal_mask=True)
    model = keras.Model(inputs, layers.Dense(2, dtype="mixed_bfloat16", name="d")(x[:, -1]))
    spec = spec_of(model, tmp_path)
    assert config(run(program(spec))) == config(build(spec, free_batch=False).model)


def test_what_cannot_be_built_gives_no_program(tmp_path: Path) -> None:
    spec = spec_of(straight(), tmp_path)
    strange = replace(spec.layers[1], kind="Strange", known=False, problem="it is strange")
    with pytest.raises(Unbuildable, match="strange"):
        program(replace(spec, layers=(spec.layers[0], strange, *spec.layers[2:])))


def test_an_application_with_operations_comes_back_whole(tmp_path: Path) -> None:
    model = keras.applications.MobileNetV3Small(
        (32, 32, 3), alpha=0.35, minimalistic=False, weights=None, classes=3
    )
    file = saved(model, tmp_path)
    spec = stored_spec(file, tmp_path)
    again = run(program(spec))
    built = build(spec, free_batch=False)
    assert assign_weights(built, spec.weights) == ()
    assert config(again) == config(built.model)
    again.load_weights(file)
    for ours, theirs in zip(outputs(again), outputs(model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)

"""Every layer and operation of the allowlist: built, drawn, judged for shape and cost."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import numpy as np
import pytest

from analyzers.building import build, problems, reinitialize
from analyzers.building.code import program
from analyzers.building.layers import LAYERS
from analyzers.building.ops import OPERATIONS as OPERATION_TABLE
from analyzers.building.state import variables
from analyzers.reading.operations import KINDS as READ
from analyzers.spec.cost import estimate
from analyzers.spec.kinds import AUGMENTATIONS, DROPOUTS
from analyzers.spec.layer_weights import layer_weights
from analyzers.spec.operations import LINEAR
from analyzers.spec.shapes import infer_shapes
from tests.building.samples import OPERATIONS, SAMPLES, Sample

pytestmark = pytest.mark.filterwarnings("ignore:NotImplemented should not be used in a boolean context")
"""Keras's own tensordot says so."""


def test_every_kind_of_the_allowlist_has_a_sample() -> None:
    assert {sample.kind for sample in SAMPLES} == set(LAYERS)
    assert {sample.kind for sample in OPERATIONS} == set(OPERATION_TABLE)


@pytest.mark.parametrize("sample", [*SAMPLES, *OPERATIONS], ids=lambda sample: sample.id)
def test_shapes_and_counts_are_those_of_keras(sample: Sample) -> None:
    spec = sample.spec()
    assert problems(spec) == ()
    built = build(spec)
    expected = {
        key: tuple(tuple(tensor.shape) for tensor in tensors) for key, tensors in built.tensors.items()
    }
    assert infer_shapes(spec) == expected
    cost = estimate(spec)
    assert cost.parameters == built.model.count_params()
    trainable = sum(int(np.prod(variable.shape)) for variable in built.model.trainable_variables)
    assert cost.trainable_parameters == trainable
    if "layer" in built.layers:
        weights = layer_weights(sample.kind, sample.config, sample.inputs)
        assert [(weight.role, weight.shape) for weight in weights] == [
            (role, tuple(variable.shape)) for role, variable in variables(built.layers["layer"]).items()
        ]


@pytest.mark.parametrize("sample", OPERATIONS, ids=lambda sample: sample.id)
def test_a_program_calls_the_function_of_an_operation(sample: Sample) -> None:
    spec = sample.spec()
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(program(spec), "program.py", "exec"), names)  # noqa: S102
    (expected,) = [shapes[0] for (path, _), shapes in infer_shapes(spec).items() if path == "layer"]
    assert tuple(names["build_model"]().output_shape) == expected


@pytest.mark.parametrize(
    "sample",
    [one for one in OPERATIONS if one.kind in LINEAR and one.dtype == "float32" and one.kind != "Cast"],
    ids=lambda sample: sample.id,
)
def test_an_operation_that_is_called_linear_is(sample: Sample) -> None:
    model = build(sample.spec()).model
    random = np.random.default_rng(0)
    first, second = (
        [random.normal(size=[size or 4 for size in shape]).astype("float32") for shape in sample.inputs]
        for _ in range(2)
    )
    points = ([0 * a for a in first], first, second, [a + b for a, b in zip(first, second, strict=True)])
    zero, one, two, both = (
        np.asarray(found[0] if isinstance(found, list | tuple) else found)
        for found in (model(given[0] if len(given) == 1 else given) for given in points)
    )
    np.testing.assert_allclose(both - one, two - zero, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", sorted(OPERATION_TABLE))
def test_the_reader_keeps_every_setting_of_an_operation(kind: str) -> None:
    made = OPERATION_TABLE[kind].make
    assert isinstance(made, type)
    initializer = next(vars(one)["__init__"] for one in made.__mro__ if "__init__" in vars(one))
    settings = set(inspect.signature(initializer).parameters) - {"self", "name"}
    assert set(READ[kind]) == settings
    assert set(OPERATION_TABLE[kind].arguments) == settings


def _values(layer: keras.Layer) -> list[np.ndarray]:
    return [np.asarray(variable) for variable in layer.variables]


def _equal(ours: list[np.ndarray], theirs: list[np.ndarray]) -> bool:
    return len(ours) == len(theirs) and all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


_RANDOM = [
    sample
    for sample in SAMPLES
    if layer_weights(sample.kind, sample.config, sample.inputs) or sample.kind in DROPOUTS | AUGMENTATIONS
]


@pytest.mark.parametrize("sample", _RANDOM, ids=lambda sample: sample.id)
def test_values_depend_on_the_seed_alone(sample: Sample) -> None:
    keras.utils.set_random_seed(1)
    first = build(sample.spec(), seed=7)
    keras.utils.set_random_seed(2)
    second = build(sample.spec(), seed=7)
    other = build(sample.spec(), seed=8)
    assert _equal(_values(first.layers["layer"]), _values(second.layers["layer"]))
    reinitialize(other, 7)
    assert _equal(_values(other.layers["layer"]), _values(first.layers["layer"]))
    reinitialize(other, 8, paths=frozenset())
    assert _equal(_values(other.layers["layer"]), _values(first.layers["layer"]))

"""The models over all kinds of task build, save, load and fit their data; the data are what they are said to be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks.real_training import loaded, readings
from tests.support import saved
from tests.zoo.tasks import TASK_MODELS
from tests.zoo.tasks.data import DATA, load
from tests.zoo.tasks.task_model import KINDS, STRENGTHS

FIRST_OF_KIND = {model.kind: model for model in reversed(list(TASK_MODELS.values()))}


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models keep their loss alone, without an optimizer, which has variables of its own."""

    def keep(model: keras.Model, optimizer: Any, loss: Any, **_: Any) -> None:
        assert optimizer is not None
        model.loss = loss

    monkeypatch.setattr(keras.Model, "compile", keep)
    for name in ("Adam", "SGD", "RMSprop"):
        monkeypatch.setattr(keras.optimizers, name, lambda *_, **__: "unused")


SAMPLE = {(model.kind, model.data, bool(model.fault)): model.name for model in TASK_MODELS.values()}
"""A healthy and a sick model of each kind on each data set: all of them are built by ``benchmarks.agreement``."""


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("name", SAMPLE.values())
def test_a_model_has_the_shapes_of_its_data(name: str) -> None:
    model = TASK_MODELS[name]
    keras.backend.clear_session()
    with keras.StatelessScope(initialize_variables=False):
        built = model.build()
    data = load(model.data)
    assert [tensor.shape[1:] for tensor in built.inputs] == [a.shape[1:] for a in data.train.inputs]
    measures = DATA[model.data].measures
    assert len(built.outputs) == len(measures) == len(readings(built))
    for tensor, target, measure in zip(built.outputs, data.train.targets, measures, strict=True):
        if measure == "class":
            assert tensor.shape[1:-1] == target.shape[1:]
            assert tensor.shape[-1] == target.max() + 1
        else:
            assert tensor.shape[1:] == target.shape[1:]


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_each_kind_is_saved_and_loaded_with_its_settings(kind: str, tmp_path: Path) -> None:
    model = FIRST_OF_KIND[kind]  # type: ignore[index]  # parametrized by its own keys
    keras.backend.clear_session()
    built = model.build()
    again = loaded(saved(built, tmp_path))
    assert readings(again) == readings(built)
    assert type(again.optimizer) is type(built.optimizer)
    few = [array[:2] for array in load(model.data).held.inputs]
    given = few if len(few) > 1 else few[0]
    for output, same in zip(*(keras.tree.flatten(one(given)) for one in (built, again)), strict=True):
        np.testing.assert_allclose(output, same)


def test_every_kind_has_healthy_and_sick_models() -> None:
    for kind in KINDS:
        found = [model.fault for model in TASK_MODELS.values() if model.kind == kind]
        assert None in found
        assert any(found)
    strengths = Counter(model.fault.strength if model.fault else None for model in TASK_MODELS.values())
    assert len(TASK_MODELS) >= 60
    assert min(strengths[strength] for strength in STRENGTHS) >= 10


@pytest.mark.parametrize("name", DATA)
def test_data_are_whole(name: str) -> None:
    data = load(name)
    assert len(data.train) > 2 * len(data.held) > 80 or name == "photographs, 0-255"
    for part in (data.train, data.held):
        for array in (*part.inputs, *part.targets):
            assert len(array) == len(part)
            assert np.isfinite(array).all()
    assert len(DATA[name].measures) == len(DATA[name].attainable) == len(data.train.targets)


@pytest.mark.parametrize("name", ["iris", "strokes", "recall", "characters", "digit over a number"])
def test_data_are_the_same_at_every_call(name: str) -> None:
    for part, other in zip(
        (load(name).train, load(name).held), (DATA[name].make().train, DATA[name].make().held), strict=True
    ):
        for array, same in zip((*part.inputs, *part.targets), (*other.inputs, *other.targets), strict=True):
            np.testing.assert_array_equal(array, same)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("digits", 0.0, 1.0),
        ("digits, 0-255", 0.0, 255.0),
        ("photographs, 0-255", 0.0, 255.0),
        ("diabetes, raw target", 25.0, 346.0),
        ("diabetes, target 0-1", 0.0, 1.0),
    ],
)
def test_data_have_the_scale_in_their_name(name: str, low: float, high: float) -> None:
    data = load(name)
    parts = [
        getattr(part, "targets" if "target" in name else "inputs")[0] for part in (data.train, data.held)
    ]
    assert min(part.min() for part in parts) == low
    assert max(part.max() for part in parts) == high


@pytest.mark.parametrize("name", ["iris", "wine", "cancer", "diabetes"])
def test_standardised_columns_are_so(name: str) -> None:
    data = load(name)
    columns = np.concatenate([data.train.inputs[0], data.held.inputs[0]])
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(columns.std(axis=0), 1, atol=1e-5)


def test_pairs_share_no_image_between_the_parts() -> None:
    data = load("pairs of digits")
    train, held = (
        {image.tobytes() for side in part.inputs for image in side} for part in (data.train, data.held)
    )
    single = {image.tobytes() for image in load("digits").train.inputs[0]}
    assert len(train & held) <= len(held - single) * 0.02  # scikit-learn's digits hold a few doubles
    assert 0.45 < data.train.targets[0].mean() < 0.55

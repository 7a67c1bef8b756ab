"""The allowlist is complete: everything that Keras has is built, or left out by name with a reason."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import keras
import keras.src.ops
import pytest
from keras.src.ops.operation import Operation

from analyzers.building import layers, left_out, objects, ops, schedules, training


def _classes(module: ModuleType, base: type) -> list[set[str]]:
    """The names under which each class is exported."""
    names: dict[type, set[str]] = {}
    for name in dir(module):
        item = getattr(module, name)
        if inspect.isclass(item) and issubclass(item, base):
            names.setdefault(item, {item.__name__}).add(name)
    return list(names.values())


def _operations() -> list[set[str]]:
    found: set[str] = set()
    for info in pkgutil.iter_modules(keras.src.ops.__path__):
        if info.name.endswith("_test"):
            continue
        module = importlib.import_module(f"keras.src.ops.{info.name}")
        found |= {
            name
            for name, item in vars(module).items()
            if inspect.isclass(item) and issubclass(item, Operation) and item.__module__ == module.__name__
        }
    return [{name} for name in sorted(found)]


TABLES: dict[str, tuple[list[set[str]], Mapping[str, Any], Mapping[str, str]]] = {
    "layers": (_classes(keras.layers, keras.Layer), layers.LAYERS, left_out.LAYERS),
    "initializers": (
        _classes(keras.initializers, keras.initializers.Initializer),
        objects.INITIALIZERS,
        left_out.INITIALIZERS,
    ),
    "regularizers": (
        _classes(keras.regularizers, keras.regularizers.Regularizer),
        objects.REGULARIZERS,
        left_out.REGULARIZERS,
    ),
    "constraints": (
        _classes(keras.constraints, keras.constraints.Constraint),
        objects.CONSTRAINTS,
        left_out.CONSTRAINTS,
    ),
    "activations": (
        [{name} for name in dir(keras.activations) if callable(getattr(keras.activations, name))],
        objects.ACTIVATIONS,
        left_out.ACTIVATIONS,
    ),
    "losses": (_classes(keras.losses, keras.losses.Loss), training.LOSSES, left_out.LOSSES),
    "optimizers": (
        _classes(keras.optimizers, keras.optimizers.Optimizer),
        training.OPTIMIZERS,
        left_out.OPTIMIZERS,
    ),
    "schedules": (
        _classes(keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule),
        schedules.SCHEDULES,
        left_out.SCHEDULES,
    ),
    "operations": (_operations(), ops.OPERATIONS, left_out.OPERATIONS),
}


@pytest.mark.parametrize("table", TABLES)
def test_nothing_of_keras_is_forgotten(table: str) -> None:
    there, built, omitted = TABLES[table]
    assert [names for names in there if not names & (set(built) | set(omitted))] == []
    assert set(built) & set(omitted) == set()
    assert all(omitted.values())

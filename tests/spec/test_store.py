"""Specs on disk: exact round trips, bounds, read-only weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from analyzers.spec import (
    Array,
    Call,
    LayerSpec,
    ModelSpec,
    ObjectSpec,
    Provenance,
    TensorInfo,
    TensorRef,
    TrainingSpec,
    store,
)


@dataclass
class InMemory:
    """Weights out of a dict."""

    values: dict[TensorInfo, Array]
    slot_problem: str | None = None
    slots: Sequence[TensorInfo] = field(init=False)
    tensors: Sequence[TensorInfo] = field(init=False)

    def __post_init__(self) -> None:
        self.tensors = [info for info in self.values if not info.slot]
        self.slots = [info for info in self.values if info.slot]

    def load(self, tensor: TensorInfo) -> Array:
        return self.values[tensor]


def tensor(layer: str, role: str, values: Array, slot: str = "") -> tuple[TensorInfo, Array]:
    return TensorInfo(layer, role, values.shape, values.dtype.name, slot), values


WEIGHTS = InMemory(
    dict(
        [
            tensor("inner/d", "kernel", np.arange(6, dtype=np.float32).reshape(2, 3)),
            tensor("inner/d", "bias", np.ones(3, ml_dtypes.bfloat16)),
            tensor("n", "count", np.array(5, np.int64)),
            tensor("n", "mean", np.zeros((0, 2), np.float16)),
            tensor("n", "gamma", np.asfortranarray(np.arange(6.0).reshape(2, 3))),
            tensor("inner/d", "kernel", np.full((2, 3), np.nan, np.float32), "momentum"),
        ]
    ),
    slot_problem="half of them",
)


def spec() -> ModelSpec:
    inner = ModelSpec(
        "inner",
        "sequential",
        (
            LayerSpec("i", "InputLayer", {"batch_shape": [None, 2], "dtype": "float32"}, (), path="inner/i"),
            LayerSpec(
                "d", "Dense", {"units": 3}, (Call((TensorRef("i"),)),), trainable=False, path="inner/d"
            ),
        ),
        (TensorRef("i"),),
        (TensorRef("d"),),
    )
    calls = (
        Call(
            (TensorRef("x"), ({"start": None, "stop": 1, "step": None}, "...", 2)),
            {"mask": TensorRef("x", 0, 1), "bias": float("-inf"), "flag": True},
        ),
    )
    layers = (
        LayerSpec("x", "InputLayer", {"batch_shape": [None, 2], "dtype": "float32"}, (), path="x"),
        LayerSpec("inner", "Sequential", {}, (Call((TensorRef("x"),)),), path="inner", model=inner),
        LayerSpec("g", "GetItem", {}, calls, path="g", known=False, problem="not built \ud7ff <b>"),
        LayerSpec(
            "c",
            "Concatenate",
            {"axis": -1, "nested": [{"nan": float("inf")}, [1, 2.5, None]]},
            (Call(((TensorRef("inner"), TensorRef("g")),)),),
            path="c",
        ),
    )
    training = TrainingSpec(
        (ObjectSpec("MeanSquaredError", {"reduction": "sum"}), None),
        (1.0, 0.5),
        ObjectSpec("Adam", {"epsilon": 1e-7}),
        float("inf"),
        ObjectSpec("CosineDecay", {"decay_steps": 10}),
        0.001,
        12,
        ("accuracy",),
    )
    provenance = Provenance("keras-v3", "3.15.1", None, "2026-01-01@00:00:00", "ab" * 32, 99)
    return ModelSpec(
        "top", "functional", layers, (TensorRef("x"),), (TensorRef("c"),), training, WEIGHTS, provenance
    )


def test_a_spec_comes_back_as_it_was(tmp_path: Path) -> None:
    store.write(spec(), tmp_path, copy_weights=True)
    assert store.load(tmp_path) == spec()


def test_the_json_is_strict(tmp_path: Path) -> None:
    store.write(spec(), tmp_path, copy_weights=False)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads((tmp_path / store.SPEC_FILE).read_text(), parse_constant=refuse)


def test_weights_come_back_bit_by_bit_and_read_only(tmp_path: Path) -> None:
    store.write(spec(), tmp_path, copy_weights=True)
    weights = store.load(tmp_path).weights
    assert list(weights.tensors) == list(WEIGHTS.tensors)
    assert list(weights.slots) == list(WEIGHTS.slots)
    assert weights.slot_problem == "half of them"
    for info, values in WEIGHTS.values.items():
        found = weights.load(info)
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)
        assert not found.flags.writeable


def test_without_copying_only_names_and_shapes_are_known(tmp_path: Path) -> None:
    store.write(spec(), tmp_path, copy_weights=False)
    weights = store.load(tmp_path).weights
    assert list(weights.tensors) == list(WEIGHTS.tensors)
    assert not (tmp_path / store.WEIGHTS_FILE).exists()
    with pytest.raises(KeyError):
        weights.load(weights.tensors[0])


def test_a_tensor_of_another_model_is_unknown(tmp_path: Path) -> None:
    store.write(spec(), tmp_path, copy_weights=True)
    weights = store.load(tmp_path).weights
    with pytest.raises(KeyError):
        weights.load(replace(weights.tensors[0], layer="elsewhere"))


@pytest.mark.parametrize(
    "change",
    [
        {5: 10**9},
        {5: -64},
        {5: 1},
        {5: None},
        {2: [2**40, 2**40]},
        {2: [-1, 3]},
        {2: [True]},
        {3: "object"},
    ],
)
def test_arrays_outside_the_file_are_refused(change: dict[int, Any], tmp_path: Path) -> None:
    store.write(spec(), tmp_path, copy_weights=True)
    path = tmp_path / store.SPEC_FILE
    document = json.loads(path.read_text())
    for position, value in change.items():
        document["weights"]["tensors"][0][position] = value
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="stored tensor"):
        store.load(tmp_path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    store.write(spec(), tmp_path, copy_weights=True)
    path = tmp_path / store.SPEC_FILE
    path.write_text(path.read_text().replace('"version":1', '"version":2', 1))
    with pytest.raises(ValueError, match="version 2"):
        store.load(tmp_path)

"""The flat view of nested models."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzers.errors import InputError
from analyzers.spec import Call, LayerSpec, ModelSpec, TensorRef
from analyzers.spec.flatten import call_order, flatten


def _input(name: str, path: str = "") -> LayerSpec:
    return LayerSpec(
        name, "InputLayer", {"batch_shape": [None, 4], "dtype": "float32"}, (), path=path or name
    )


def _dense(name: str, *sources: TensorRef, path: str = "", trainable: bool = True) -> LayerSpec:
    calls = tuple(Call((source,)) for source in sources)
    return LayerSpec(name, "Dense", {"units": 4}, calls, path=path or name, trainable=trainable)


def _inner(prefix: str) -> ModelSpec:
    layers = (_input("in", f"{prefix}/in"), _dense("d", TensorRef("in"), path=f"{prefix}/d"))
    return ModelSpec(prefix, "functional", layers, (TensorRef("in"),), (TensorRef("d"),))


def _outer(inner: ModelSpec, *calls: TensorRef, trainable: bool = True) -> ModelSpec:
    nested = LayerSpec(
        "n",
        "Functional",
        {},
        tuple(Call((ref,)) for ref in calls),
        path="n",
        model=inner,
        trainable=trainable,
    )
    last = TensorRef("n", len(calls) - 1)
    layers = (_input("x"), nested, _dense("d", last))
    return ModelSpec("outer", "functional", layers, (TensorRef("x"),), (TensorRef("d"),))


def test_a_flat_model_stays_as_it_is() -> None:
    spec = ModelSpec(
        "m", "functional", (_input("x"), _dense("d", TensorRef("x"))), (TensorRef("x"),), (TensorRef("d"),)
    )
    assert flatten(spec) == spec


def test_nested_layers_keep_their_paths_and_get_names_of_their_own() -> None:
    flat = flatten(_outer(_inner("n"), TensorRef("x")))
    assert [(layer.name, layer.path) for layer in flat.layers] == [("x", "x"), ("n__d", "n/d"), ("d", "d")]
    assert flat.layer("n__d").inbound == (Call((TensorRef("x"),)),)
    assert flat.layer("d").inbound == (Call((TensorRef("n__d"),)),)
    assert flat.outputs == (TensorRef("d"),)


def test_names_that_collide_are_told_apart() -> None:
    spec = _outer(_inner("n"), TensorRef("x"))
    taken = _dense("n__d", TensorRef("x"))
    both = replace(spec, layers=(spec.layers[0], taken, *spec.layers[1:]))
    names = [layer.name for layer in flatten(both).layers]
    assert len(set(names)) == len(names) == 4


def test_a_nested_model_called_twice_gives_its_layers_two_calls() -> None:
    flat = flatten(_outer(_inner("n"), TensorRef("x"), TensorRef("n", 0)))
    assert flat.layer("n__d").inbound == (Call((TensorRef("x"),)), Call((TensorRef("n__d", 0),)))
    assert flat.layer("d").inbound == (Call((TensorRef("n__d", 1),)),)


def test_a_frozen_model_freezes_what_is_in_it() -> None:
    flat = flatten(_outer(_inner("n"), TensorRef("x"), trainable=False))
    assert [layer.trainable for layer in flat.layers] == [True, False, True]


def test_calls_come_after_what_they_consume_and_in_their_own_order() -> None:
    shared = _dense("s", TensorRef("late"), TensorRef("x"))
    layers = (_input("x"), shared, _dense("late", TensorRef("x")))
    spec = ModelSpec("m", "functional", layers, (TensorRef("x"),), (TensorRef("s", 1),))
    assert call_order(spec) == [("x", 0), ("late", 0), ("s", 0), ("s", 1)]


@pytest.mark.parametrize("source", [TensorRef("d"), TensorRef("nowhere"), TensorRef("x", 3)])
def test_cycles_and_unknown_tensors_are_invalid(source: TensorRef) -> None:
    spec = ModelSpec(
        "m", "functional", (_input("x"), _dense("d", source)), (TensorRef("x"),), (TensorRef("d"),)
    )
    with pytest.raises(InputError) as caught:
        flatten(spec)
    assert caught.value.code == "invalid-config"


def test_models_that_multiply_without_end_are_refused() -> None:
    model = _inner("n")
    for depth in range(16):
        name = f"m{depth}"
        nested = LayerSpec(
            "n", "Functional", {}, (Call((TensorRef("x"),)), Call((TensorRef("n"),))), path=name, model=model
        )
        model = ModelSpec(name, "functional", (_input("x"), nested), (TensorRef("x"),), (TensorRef("n", 1),))
    with pytest.raises(InputError) as caught:
        flatten(model)
    assert caught.value.code == "too-many-objects"

"""Shapes inferred without Keras; tests/building/test_samples.py compares every kind with Keras itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzers.spec import Call, LayerSpec, ModelSpec, Shape, TensorRef
from analyzers.spec.shapes import infer_shapes


def _chain(shape: Shape, *kinds: tuple[str, dict[str, object]]) -> ModelSpec:
    """A model that calls layers ``a``, ``b`` ... one after the other on an input ``in``."""
    layers = [LayerSpec("in", "InputLayer", {"batch_shape": list(shape), "dtype": "float32"}, (), path="in")]
    for name, (kind, config) in zip("abcdefgh", kinds, strict=False):
        call = Call((TensorRef(layers[-1].name),))
        layers.append(LayerSpec(name, kind, config, (call,), path=name))  # type: ignore[arg-type]
    return ModelSpec("m", "functional", tuple(layers), (TensorRef("in"),), (TensorRef(layers[-1].name),))


def test_open_dimensions_stay_open() -> None:
    conv: dict[str, object] = {"filters": 8, "kernel_size": 3, "strides": 2}
    spec = _chain((None, None, None, 3), ("Conv2D", conv), ("Flatten", {}), ("Dense", {"units": 2}))
    shapes = infer_shapes(spec)
    assert shapes["a", 0] == ((None, None, None, 8),)
    assert shapes["b", 0] == ((None, None),)
    assert shapes["c", 0] == ((None, 2),)


def test_what_an_einsum_leaves_open_has_the_size_of_the_input() -> None:
    einsum: dict[str, object] = {"equation": "abc,cd->abd", "output_shape": [None, 3]}
    shapes = infer_shapes(_chain((None, 7, 4), ("EinsumDense", einsum)))
    assert shapes["a", 0] == ((None, 7, 3),)


def test_channels_first() -> None:
    conv: dict[str, object] = {"filters": 8, "kernel_size": 3, "data_format": "channels_first"}
    pool: dict[str, object] = {"data_format": "channels_first"}
    shapes = infer_shapes(_chain((None, 3, 10, 12), ("Conv2D", conv), ("GlobalMaxPooling2D", pool)))
    assert shapes["a", 0] == ((None, 8, 8, 10),)
    assert shapes["b", 0] == ((None, 8),)


def test_an_unknown_kind_and_what_follows_are_unknown() -> None:
    shapes = infer_shapes(_chain((None, 3), ("Mystery", {"units": 2}), ("Dense", {"units": 2})))
    assert shapes["in", 0] == ((None, 3),)
    assert shapes["a", 0] == shapes["b", 0] == ()


def test_sizes_that_do_not_fit_are_unknown() -> None:
    for kind, config in (
        ("Conv2D", {"filters": 8, "kernel_size": 9}),
        ("Conv2D", {"filters": 8}),
        ("Conv2D", {"filters": "many", "kernel_size": 1}),
        ("Conv2D", {"filters": 8, "kernel_size": 3, "strides": 0}),
        ("Conv1D", {"filters": 8, "kernel_size": 1}),
        ("Cropping2D", {"cropping": 5}),
        ("Reshape", {"target_shape": [7, -1]}),
        ("Permute", {"dims": [9]}),
        ("TimeDistributed", {"layer": None}),
        ("Dot", {"axes": 1}),
    ):
        assert infer_shapes(_chain((None, 8, 8, 3), (kind, config)))["a", 0] == (), kind  # type: ignore[arg-type]


def test_replaced_input_shapes_go_through() -> None:
    spec = _chain((30, 16, 16, 3), ("MaxPooling2D", {}), ("Flatten", {}))
    assert infer_shapes(spec)["b", 0] == ((30, 192),)
    assert infer_shapes(spec, {"in": (None, 8, 8, 3)})["b", 0] == ((None, 48),)


def test_nested_models_are_opened_and_shared_ones_have_every_call() -> None:
    inner = replace(_chain((None, None), ("Dense", {"units": 2})), name="inner")
    inner = replace(inner, layers=tuple(replace(one, path=f"inner/{one.name}") for one in inner.layers))
    nested = LayerSpec(
        "inner",
        "Functional",
        {},
        (Call((TensorRef("x"),)), Call((TensorRef("y"),))),
        path="inner",
        model=inner,
    )
    sources = [
        LayerSpec(name, "InputLayer", {"batch_shape": [None, width]}, (), path=name)
        for name, width in (("x", 4), ("y", 4))
    ]
    merge = LayerSpec(
        "z", "Concatenate", {}, (Call(((TensorRef("inner"), TensorRef("inner", 1)),)),), path="z"
    )
    outer = ModelSpec(
        "m", "functional", (*sources, nested, merge), (TensorRef("x"), TensorRef("y")), (TensorRef("z"),)
    )
    shapes = infer_shapes(outer)
    assert shapes["inner/a", 0] == shapes["inner/a", 1] == ((None, 2),)
    assert shapes["z", 0] == ((None, 4),)


def test_products_that_double_their_axes_end_where_no_tensor_has_so_many() -> None:
    layers = [LayerSpec("x", "InputLayer", {"batch_shape": [None, 2]}, (), path="x")]
    for number in range(64):
        ref = TensorRef(layers[-1].name)
        name = f"t{number}"
        layers.append(LayerSpec(name, "Tensordot", {"axes": 0}, (Call((ref, ref)),), path=name))
    spec = ModelSpec("m", "functional", tuple(layers), (TensorRef("x"),), (TensorRef("t63"),))
    shapes = infer_shapes(spec)
    assert len(shapes["t1", 0][0]) == 8
    assert shapes["t63", 0] == ()


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Split", {"indices_or_sections": 10**9, "axis": 1}),
        ("ArraySplit", {"indices_or_sections": 10**9, "axis": 1}),
        ("Split", {"indices_or_sections": [*range(10_000)], "axis": 1}),
        ("Unstack", {"axis": 1}),
    ],
)
def test_an_operation_gives_no_more_tensors_than_a_graph_can_hold(
    kind: str, config: dict[str, object]
) -> None:
    assert infer_shapes(_chain((None, 10**9), (kind, config)))["a", 0] == ()

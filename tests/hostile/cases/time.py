"""Files that want more time than they are worth: deep, long, repeated, nested, written out."""

from __future__ import annotations

from typing import Any, Final

import h5py
import numpy as np

from tests.hostile.case import Case, Refused, Served, Static, made
from tests.hostile.cases.code import HEAD, IMAGE, UNBUILT, classifier
from tests.hostile.cases.memory import TOO_MANY
from tests.hostile.files import (
    COMPILED,
    DENSE,
    INPUT,
    Json,
    archive,
    called,
    changed,
    entered,
    graph,
    hdf5,
    inputs,
    layer,
    model,
    no_weights,
    sequential,
    tensor,
    weights,
)


def _nested(depth: int) -> str:
    return '{"config": ' + "[" * depth + "]" * depth + "}"


def _laughs(depth: int) -> bytes:
    """A model that calls its inner model twice, which calls its inner model twice ..."""
    inner = graph(entered(inputs(2)), called(layer("Dense", "d", units=2), tensor("x", shape=(None, 2))))
    for _ in range(depth):
        nested = {**inner, "name": "i", "config": {**inner["config"], "name": "i"}}
        twice = [tensor("x", shape=(None, 2))], [tensor("i", 0, (None, 2))]
        nested["inbound_nodes"] = [{"args": args, "kwargs": {}} for args in twice]
        inner = graph(entered(inputs(2)), nested, output_layers=["i", 2, 0])
    return archive(inner, no_weights())


def _long(count: int) -> bytes:
    return archive(
        sequential(INPUT, *(layer("Activation", f"a{n}", activation="relu") for n in range(count))),
        no_weights(),
    )


def _wide(count: int) -> bytes:
    members = [
        entered(IMAGE),
        called(layer("Add", "evil"), [tensor("x", shape=(None, 8, 8, 3))] * count),
        called(HEAD[0], tensor("evil", shape=(None, 8, 8, 3))),
        called(HEAD[1], tensor("f", shape=(None, 192))),
    ]
    return archive(graph(*members), no_weights())


def _deep_groups(file: h5py.File) -> None:
    group = file
    for _ in range(8000):
        group = group.create_group("g")


def _many_groups(file: h5py.File) -> None:
    for number in range(20_100):
        file.create_group(f"layers/{number}")


def _cycle(file: h5py.File) -> None:
    file["layers/dense/again"] = file["layers"]


def _chunks(file: h5py.File) -> None:
    held = file["model_weights"]
    del held.attrs["layer_names"]
    for number in range(3000):
        held.attrs[f"layer_names{number}"] = np.array([b"d"] * 10)


def _run_settings() -> bytes:
    settings: dict[str, Any] = {
        **COMPILED,
        "steps_per_execution": 10**9,
        "jit_compile": True,
        "run_eagerly": True,
        "auto_scale_loss": True,
    }
    return archive({**sequential(INPUT, DENSE), "compile_config": settings})


def _recurrent(steps: int, **config: Any) -> bytes:
    return model(
        inputs(steps, 1), layer("SimpleRNN", "evil", units=2, **config), layer("Dense", "d", units=2)
    )


def _distributed() -> bytes:
    inner = layer("Flatten", "inner")
    return model(inputs(4096, 8, 3), layer("TimeDistributed", "evil", layer=inner), *HEAD)


def _pool(size: Any, kind: str = "AveragePooling2D", **more: Any) -> bytes:
    return classifier(layer(kind, "evil", pool_size=size, **{"padding": "same", "strides": 1, **more}))


def _one_list() -> Json:
    return changed(DENSE, note=[0] * 500_000)


CASES: Final[tuple[Case, ...]] = (
    Case("JSON nested 200,000 deep", made(lambda: archive(_nested(200_000))), TOO_MANY),
    Case("JSON nested 900 deep", made(lambda: archive(_nested(900))), TOO_MANY),
    Case("JSON nested deep in an attribute", made(lambda: hdf5(_nested(5000))), TOO_MANY),
    Case("integer of 6,000 digits", made(lambda: archive('{"config": ' + "9" * 6000 + "}")), Refused("invalid-config")),
    Case("version of 6,000 digits", made(lambda: hdf5(version="9" * 6000)), Served()),
    Case("fraction of 6,000 digits", made(lambda: archive('{"config": 0.' + "9" * 6000 + "}")), Refused("invalid-config")),
    Case("list of half a million numbers", made(lambda: archive(sequential(INPUT, _one_list()))), Served()),
    Case("20,000 layers", made(lambda: _long(20_000)), TOO_MANY),
    Case("billion laughs of submodels", made(lambda: _laughs(17)), TOO_MANY),
    Case("submodels nested deeper than JSON may be", made(lambda: _laughs(26)), TOO_MANY),
    Case("10,000 inputs of one Add", made(lambda: _wide(10_000)), Static("evil")),
    Case("unrolled recurrence", made(lambda: _recurrent(100_000, unroll=True)), Static("")),
    Case("five million steps of recurrence", made(lambda: _recurrent(5_000_000)), Served()),
    Case("a layer for every step", made(_distributed), UNBUILT),
    Case("slow pooling", made(lambda: _pool(2**31 - 1)), UNBUILT),
    Case("pooling much larger than the map", made(lambda: _pool(4096)), UNBUILT),
    Case("settings of how training runs", made(_run_settings), Served()),
    Case("8,000 nested groups", made(lambda: archive(stored=weights(_deep_groups))), TOO_MANY),
    Case("20,000 groups", made(lambda: archive(stored=weights(_many_groups, libver="latest"))), TOO_MANY),
    Case("cycle of hard links", made(lambda: archive(stored=weights(_cycle))), Refused("unsafe-file")),
    Case("3,000 attribute chunks", made(lambda: hdf5(fill=_chunks, libver="latest")), TOO_MANY),
)  # fmt: skip

"""Files that are damaged, cut off, incomplete or something else."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import h5py
import numpy as np

from tests.hostile.case import Case, Refused, Served, Static, Trap, made
from tests.hostile.cases.code import IMAGE
from tests.hostile.files import (
    COMPILED,
    DENSE,
    INPUT,
    LEGACY_DENSE,
    Fill,
    archive,
    called,
    changed,
    entered,
    graph,
    hdf5,
    layer,
    model,
    nothing,
    sequential,
    tensor,
    weights,
)

CORRUPT: Final = Refused("corrupt-file")
INVALID: Final = Refused("invalid-config")
TRUNCATED: Final = Refused("truncated-file")


def _without(member: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive())) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            if name != member:
                target.writestr(name, source.read(name))
    return buffer.getvalue()


def _zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return buffer.getvalue()


def _plain_hdf5(fill: Fill) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def _data(file: h5py.File) -> None:
    file["images"] = np.zeros((4, 8, 8))
    file.attrs["author"] = "somebody"


def _weights_only(file: h5py.File) -> None:
    file.attrs["layer_names"] = np.array([b"d"])
    group = file.create_group("d")
    group.attrs["weight_names"] = np.array([b"d/kernel:0"])
    group["d/kernel:0"] = np.ones((3, 2), "float32")


def _kernel(values: Any, **options: Any) -> Callable[[Trap], bytes]:
    """The good archive with another array in place of the kernel."""

    def fill(file: h5py.File) -> None:
        del file["layers/dense/vars/0"]
        file.create_dataset("layers/dense/vars/0", data=values, **options)

    return made(lambda: archive(stored=weights(fill)))


def _missing(file: h5py.File) -> None:
    del file["model_weights/d/d/kernel:0"]


def _more_names(file: h5py.File) -> None:
    file["model_weights/d"].attrs["weight_names"] = np.array([b"d/kernel:0", b"d/bias:0", b"d/other:0"])


def _wrong_sum() -> bytes:
    content = bytearray(archive())
    content[content.index(b"\x89HDF") + 3000] ^= 0xFF
    return bytes(content)


def _flipped_config() -> bytes:
    content = bytearray(archive())
    content[content.index(b'"Sequential"') + 3] ^= 0x20
    return bytes(content)


def _empty_table(file: h5py.File) -> None:
    file.attrs["model_config"] = h5py.Empty("f")


def _number(file: h5py.File) -> None:
    file.attrs["model_config"] = 7


def _cycle() -> bytes:
    return archive(
        graph(
            entered(),
            called(changed(DENSE, name="a"), "d"),
            called(DENSE, "a"),
        )
    )


def _shape(*sizes: Any) -> bytes:
    return archive(sequential(changed(INPUT, batch_shape=[None, *sizes]), DENSE))


def _cut(make: Callable[[], bytes], share: float) -> bytes:
    content = make()
    return content[: int(len(content) * share)]


def _head(content: bytes) -> Callable[[Trap], bytes]:
    return made(lambda: content)


_SAFETENSORS: Final = struct.pack("<Q", 20) + b'{"w":{"dtype":"F32"}}' + bytes(8)
_FLATBUFFER: Final = b"\x1c\x00\x00\x00TFL3" + bytes(64)
_ONNX: Final = b"\x08\x08\x12\x07pytorch\x1a\x05" + bytes(64)

CASES: Final[tuple[Case, ...]] = (
    Case("empty", _head(b""), Refused("empty-file")),
    Case("HDF5 magic only", _head(b"\x89HDF\r\n\x1a\n"), CORRUPT),
    Case("zip magic only", _head(b"PK\x03\x04"), TRUNCATED),
    Case("zip end only", _head(b"PK\x05\x06" + bytes(18)), Refused("not-a-model")),
    *(Case(f".keras cut at {share:.0%}", made(partial(_cut, archive, share)), TRUNCATED)
      for share in (0.05, 0.5, 0.95)),
    *(Case(f".h5 cut at {share:.0%}", made(partial(_cut, hdf5, share)), TRUNCATED)
      for share in (0.05, 0.5, 0.95)),
    Case("last byte of a .keras missing", made(lambda: archive()[:-1]), TRUNCATED),
    Case("last byte of an .h5 missing", made(lambda: hdf5()[:-1]), TRUNCATED),
    Case("web page", _head(b"\n<!DOCTYPE html><html><body>404</body></html>"), Refused("html-page")),
    Case("Git LFS pointer", _head(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"), Refused("git-lfs-pointer")),
    Case("TFLite", _head(_FLATBUFFER), Refused("tflite-file")),
    Case("ONNX", _head(_ONNX), Refused("onnx-file")),
    Case("GGUF", _head(b"GGUF\x03\x00\x00\x00" + bytes(64)), Refused("not-a-model")),
    Case("safetensors", _head(_SAFETENSORS), Refused("not-a-model")),
    Case("text", _head(b"hello, world\n"), Refused("not-a-model")),
    Case("architecture as JSON", made(lambda: json.dumps(sequential(INPUT, DENSE)).encode()), Refused("architecture-only")),
    Case("SavedModel in a zip", made(lambda: _zip("m/saved_model.pb", "m/variables/variables.index")), Refused("savedmodel-file")),
    Case("document in a zip", made(lambda: _zip("word/document.xml")), Refused("not-a-model")),
    Case("weights only", made(lambda: _plain_hdf5(_weights_only)), Static("weights without an architecture")),
    Case("weights only in a zip", made(lambda: _zip("model.weights.h5")), Refused("weights-only")),
    Case("plain data", made(lambda: _plain_hdf5(_data)), Refused("not-a-model")),
    Case("HDF5 without anything", made(lambda: _plain_hdf5(nothing)), Refused("not-a-model")),
    *(Case(f"config that is {what}", made(partial(archive, text)), INVALID) for what, text in (
        ("nothing", ""), ("an integer", "3"), ("a list", "[]"), ("null", "null"), ("a string", '"x"'), ("half", '{"class_name":'),
        ("UTF-16", '{"class_name": "Sequential"}'.encode("utf-16").decode("latin-1")))),
    Case("config in UTF-16", made(lambda: archive(json.dumps(sequential(INPUT, DENSE)).encode("utf-16"))), INVALID),
    Case("config that is an optimizer", made(lambda: archive(COMPILED["optimizer"])), Refused("subclassed-model")),
    Case("model_config that is a number", made(lambda: hdf5(fill=_number)), INVALID),
    Case("model_config that is nothing", made(lambda: hdf5(fill=_empty_table)), INVALID),
    *(Case(f"no {name}", made(partial(_without, name)), ending) for name, ending in (
        ("config.json", Refused("weights-only")), ("metadata.json", CORRUPT), ("model.weights.h5", CORRUPT))),
    Case("checksum of the weights", made(_wrong_sum), CORRUPT),
    Case("checksum of the config", made(_flipped_config), CORRUPT),
    Case("kernel of another shape", _kernel(np.ones((5, 7), "float32")), Served()),
    Case("kernel of text", _kernel(np.array([b"abc", b"def"])), Refused("unsafe-file")),
    Case("kernel of pairs", _kernel(np.zeros(3, [("a", "f4"), ("b", "i4")])), Refused("unsafe-file")),
    Case("kernel of complex numbers", _kernel(np.zeros((3, 2), "complex64")), Refused("unsafe-file")),
    Case("kernel of dates", _kernel(np.zeros((3, 2), "i8").astype("V3")), Refused("unsafe-file")),
    Case("kernel of 16-byte numbers", _kernel(np.zeros((3, 2), "longdouble")), Refused("unsafe-file")),
    Case("kernel without a shape", _kernel(h5py.Empty("f")), Refused("unsafe-file")),
    Case("named array that is missing", made(lambda: hdf5(fill=_missing)), CORRUPT),
    Case("more names than arrays", made(lambda: hdf5(fill=_more_names)), CORRUPT),
    Case("cycle in the graph", made(_cycle), INVALID),
    Case("layer that is not there", made(lambda: archive(graph(entered(), called(DENSE, "elsewhere")))), INVALID),
    Case("output that is not there", made(lambda: archive(graph(entered(), called(DENSE, "x"), output="no"))), INVALID),
    Case("call that is not there", made(lambda: archive(graph(entered(), called(DENSE, tensor("x", 9))))), INVALID),
    Case("layer twice", made(lambda: archive(sequential(INPUT, DENSE, DENSE))), INVALID),
    Case("layer without a name", made(lambda: archive(sequential(INPUT, {"class_name": "Dense", "config": {}}))), INVALID),
    Case("layer that is a number", made(lambda: archive(sequential(INPUT, 7))), INVALID),  # type: ignore[arg-type]
    Case("layers that are a number", made(lambda: archive({"class_name": "Sequential", "config": {"layers": 7}})), INVALID),
    Case("negative size", made(lambda: _shape(-3)), Refused("unbuilt-model")),
    Case("boolean size", made(lambda: _shape(True)), Refused("unbuilt-model")),
    Case("size that is text", made(lambda: _shape("3")), Refused("unbuilt-model")),
    Case("rank 300", made(lambda: model(changed(IMAGE, batch_shape=[None] + [1] * 300), layer("Flatten", "f"))), Static("")),
    Case("no input shape", made(lambda: archive(sequential(DENSE))), Refused("unbuilt-model")),
    Case("rate that is not a number", made(lambda: archive(
        {**sequential(INPUT, DENSE), "compile_config": {**COMPILED, "optimizer": changed(COMPILED["optimizer"], learning_rate=float("nan"))}})),
        INVALID),
    Case("rate beyond all numbers", made(lambda: archive(
        json.dumps({**sequential(INPUT, DENSE), "compile_config": COMPILED}).replace("0.01", "1e999"))), INVALID),
    Case("rate that is text", made(lambda: archive(
        {**sequential(INPUT, DENSE), "compile_config": {**COMPILED, "optimizer": changed(COMPILED["optimizer"], learning_rate="fast")}})),
        Served()),
    Case("subclassed model", made(lambda: archive({"class_name": "MyModel", "config": {"units": 3}})), Static("Python subclass")),
    Case("no layers", made(lambda: archive(sequential())), Refused("no-layers")),
    Case("no layers in .h5", made(lambda: hdf5({"class_name": "Sequential", "config": []})), Refused("no-layers")),
    Case("no input", made(lambda: archive(graph(called(DENSE, "x")))), INVALID),
    Case("legacy layer without a class", made(lambda: hdf5({"class_name": "Sequential", "config": [{"config": LEGACY_DENSE["config"]}]})),
         Served()),
)  # fmt: skip

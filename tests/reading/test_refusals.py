"""Files that are no model, are damaged, or are built to mislead: each gets its own error code."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from analyzers.bounds import MAX_TEXT
from analyzers.errors import InputError
from analyzers.reading import open_model
from analyzers.reading.nodes import reference

DENSE: dict[str, Any] = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {"name": "d", "trainable": True, "dtype": "float32", "units": 2, "activation": "linear"},
    "registered_name": None,
}
INPUT: dict[str, Any] = {
    "module": "keras.layers",
    "class_name": "InputLayer",
    "config": {"batch_shape": [None, 3], "dtype": "float32", "name": "x"},
    "registered_name": None,
}


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def weights_bytes(fill: Callable[[h5py.File], None] | None = None) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/dense/vars/0"] = np.ones((3, 2), "float32")
        file["layers/dense/vars/1"] = np.zeros(2, "float32")
        if fill is not None:
            fill(file)
    return buffer.getvalue()


def archive(path: Path, config: Any = None, weights: bytes | None = None, **options: Any) -> Path:
    document = config if isinstance(config, str) else json.dumps(config or sequential(INPUT, DENSE))
    with zipfile.ZipFile(path, "w", **options) as file:
        file.writestr("metadata.json", '{"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}')
        file.writestr("config.json", document)
        file.writestr("model.weights.h5", weights_bytes() if weights is None else weights)
    return path


def code(path: Path) -> str:
    with pytest.raises(InputError) as caught, open_model(path):
        pass
    assert str(path.parent) not in str(caught.value)
    return caught.value.code


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return path


def test_the_made_up_archive_is_a_good_one(tmp_path: Path) -> None:
    with open_model(archive(tmp_path / "anything.bin")) as spec:
        assert [t.role for t in spec.weights.tensors] == ["kernel", "bias"]
        assert spec.training is None


def test_a_compressed_archive_is_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", compression=zipfile.ZIP_DEFLATED)
    with open_model(path) as spec:
        np.testing.assert_array_equal(spec.weights.load(spec.weights.tensors[0]), np.ones((3, 2)))


CONTENT: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty-file"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git-lfs-pointer"),
    "html": (b"\n<!DOCTYPE html><html><body>Not found</body></html>", "html-page"),
    "pickle": (pickle.dumps({"a": 1}, protocol=4), "pickle-file"),
    "old pytorch": (pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2), "pytorch-file"),
    "tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(40), "tflite-file"),
    "onnx": (b"\x08\x08\x12\x07pytorch\x1a\x05" + bytes(40), "onnx-file"),
    "architecture": (json.dumps(sequential(INPUT, DENSE)).encode(), "architecture-only"),
    "text": (b"hello, world\n", "not-a-model"),
    "magic only": (b"\x89HDF\r\n\x1a\n", "corrupt-file"),
    "half a magic": (b"PK", "truncated-file"),
    "zip header only": (b"PK\x03\x04" + bytes(100), "truncated-file"),
}


@pytest.mark.parametrize("name", CONTENT)
def test_other_content(name: str, tmp_path: Path) -> None:
    content, expected = CONTENT[name]
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    assert code(path) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (("archive/data.pkl", "archive/version"), "pytorch-file"),
        (("model/saved_model.pb", "model/variables/variables.index"), "savedmodel-file"),
        (("a.onnx",), "onnx-file"),
        (("a.tflite",), "tflite-file"),
        (("model.weights.h5",), "weights-only"),
        (("word/document.xml",), "not-a-model"),
        (("config.json", "CONFIG.json"), "unsafe-file"),
        (("config.json", "../evil"), "unsafe-file"),
        (("config.json", "/evil"), "unsafe-file"),
        (("config.json", "a\\evil"), "unsafe-file"),
        (("config.json",), "invalid-config"),
    ],
)
def test_other_archives(members: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    assert code(zipped(tmp_path / "m.zip", *members)) == expected


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_cut_off_files(share: float, tmp_path: Path) -> None:
    whole = archive(tmp_path / "m.keras").read_bytes()
    path = tmp_path / "cut.keras"
    path.write_bytes(whole[: int(len(whole) * share)])
    assert code(path) == "truncated-file"
    whole = weights_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert code(path) in ("truncated-file", "corrupt-file")


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    archive(path, weights=bytes(10_000_000), compression=zipfile.ZIP_DEFLATED)
    assert code(path) == "too-many-objects"


CONFIGS: dict[str, tuple[Any, str]] = {
    "no JSON": ("{", "invalid-config"),
    "a list": ("[]", "invalid-config"),
    "null": ("null", "invalid-config"),
    "NaN": (json.dumps(sequential(INPUT, {**DENSE, "x": float("nan")})), "invalid-config"),
    "duplicate keys": ('{"class_name": "A", "class_name": "B"}', "invalid-config"),
    "huge integer": ('{"config": ' + "9" * 6000 + "}", "invalid-config"),
    "deep": ('{"config": ' + "[" * 100_000 + "]" * 100_000 + "}", "too-many-objects"),
    "long": ('{"config": "' + "a" * (MAX_TEXT + 1) + '"}', "too-many-objects"),
    "an optimizer": ({"module": "keras.optimizers", "class_name": "SGD", "config": {}}, "subclassed-model"),
    "no layers": (sequential(), "no-layers"),
    "unbuilt": (sequential(DENSE), "unbuilt-model"),
    "same name twice": (sequential(INPUT, DENSE, DENSE), "invalid-config"),
    "nameless layer": (sequential(INPUT, {"class_name": "Dense", "config": {}}), "invalid-config"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    config, expected = CONFIGS[name]
    assert code(archive(tmp_path / "m.keras", config)) == expected


def test_a_python_subclass_without_weights_tells_nothing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "none.h5", "w"):
        pass
    config = {"class_name": "MyModel", "config": {"units": 3}}
    made = archive(tmp_path / "m.keras", config, (tmp_path / "none.h5").read_bytes())
    assert code(made) == "subclassed-model"


def graph(*layers: dict[str, Any], output: str = "d") -> dict[str, Any]:
    config = {
        "name": "g",
        "layers": list(layers),
        "input_layers": ["x", 0, 0],
        "output_layers": [output, 0, 0],
    }
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


def called(layer: dict[str, Any], source: str, call: int = 0) -> dict[str, Any]:
    tensor = {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 3], "dtype": "float32", "keras_history": [source, call, 0]},
    }
    return {**layer, "name": layer["config"]["name"], "inbound_nodes": [{"args": [tensor], "kwargs": {}}]}


@pytest.mark.parametrize(
    "layers",
    [
        (called(DENSE, "x"),),
        ({**INPUT, "inbound_nodes": []}, called(DENSE, "elsewhere")),
        ({**INPUT, "inbound_nodes": []}, called(DENSE, "d")),
        ({**INPUT, "inbound_nodes": []}, called(DENSE, "x", 5)),
    ],
    ids=["no input", "unknown layer", "cycle", "unknown call"],
)
def test_graphs_that_do_not_hold_together(layers: tuple[dict[str, Any], ...], tmp_path: Path) -> None:
    assert code(archive(tmp_path / "m.keras", graph(*layers))) == "invalid-config"


@pytest.mark.parametrize(
    "item",
    [
        {"class_name": "Lambda", "config": {"name": "l", "function": ["4wEAAA==", None, None]}},
        {"class_name": "MyLayer", "registered_name": "pkg>MyLayer", "config": {"name": "l", "factor": 2}},
        {"class_name": "TFSMLayer", "config": {"name": "l", "filepath": "/etc"}},
    ],
    ids=lambda item: str(item["class_name"]),
)
def test_unknown_layers_are_kept_and_said(item: dict[str, Any], tmp_path: Path) -> None:
    with open_model(archive(tmp_path / "m.keras", sequential(INPUT, item, DENSE))) as spec:
        layer = spec.layer("l")
        assert not layer.known
        assert layer.problem
        assert spec.layer("d").inbound[0].inputs[0].layer == "l"
        assert len(spec.weights.tensors) == 2


def external(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (3, 2), "float32", external=[("/etc/passwd", 0, 24)])


def external_link(file: h5py.File) -> None:
    file["layers/other"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: h5py.File) -> None:
    file["layers/other"] = h5py.SoftLink("/layers")


def hard_link_cycle(file: h5py.File) -> None:
    file["layers/other"] = file["layers"]


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2,), "float32")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (2,))
    file.create_virtual_dataset("virtual", layout)


def variable_length(file: h5py.File) -> None:
    file.create_dataset("text", data=["a", "b"], dtype=h5py.string_dtype())


def declared(file: h5py.File) -> None:
    file.create_dataset("huge", (2**30,), "float32", chunks=(2**20,))


def deep(file: h5py.File) -> None:
    file.create_group("/".join("g" * 50))


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        (external, "unsafe-file"),
        (external_link, "unsafe-file"),
        (soft_link, "unsafe-file"),
        (hard_link_cycle, "unsafe-file"),
        (virtual, "unsafe-file"),
        (variable_length, "unsafe-file"),
        (declared, "corrupt-file"),
        (deep, "too-many-objects"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_hdf5_that_no_keras_writes(fill: Callable[[h5py.File], None], expected: str, tmp_path: Path) -> None:
    assert code(archive(tmp_path / "m.keras", weights=weights_bytes(fill))) == expected


@pytest.mark.parametrize("filters", [{"compression": "gzip"}, {"chunks": (1, 2), "shuffle": True}])
def test_chunked_arrays_are_read(filters: dict[str, Any], tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        del file["layers/dense/vars/0"]
        file.create_dataset(
            "layers/dense/vars/0", data=np.arange(6, dtype="float32").reshape(3, 2), **filters
        )

    with open_model(archive(tmp_path / "m.keras", weights=weights_bytes(fill))) as spec:
        values = spec.weights.load(spec.weights.tensors[0])
        np.testing.assert_array_equal(values, np.arange(6).reshape(3, 2))


def test_plain_data_in_hdf5_is_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    assert code(path) == "not-a-model"


def test_flipped_bytes_never_escape_as_another_error(tmp_path: Path) -> None:
    whole = bytearray(archive(tmp_path / "m.keras").read_bytes())
    path = tmp_path / "flipped.keras"
    for position in range(0, len(whole), 97):
        changed = bytearray(whole)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        try:
            with open_model(path) as spec:
                for tensor in spec.weights.tensors:
                    spec.weights.load(tensor)
        except InputError:
            pass


@pytest.mark.parametrize("written", [["dense", 0, -5], ["dense", -1, 0], ["dense", 0]])
def test_what_names_no_tensor_is_refused(written: list[Any]) -> None:
    with pytest.raises(InputError) as caught:
        reference(written)
    assert caught.value.code == "invalid-config"

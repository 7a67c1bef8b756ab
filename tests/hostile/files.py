"""Small model files put together by hand, so that every part of them can be made wrong."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

Json = dict[str, Any]
Fill = Callable[[h5py.File], None]

DENSE: Json = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {"name": "d", "trainable": True, "dtype": "float32", "units": 2, "activation": "linear"},
    "registered_name": None,
}
INPUT: Json = {
    "module": "keras.layers",
    "class_name": "InputLayer",
    "config": {"batch_shape": [None, 3], "dtype": "float32", "name": "x"},
    "registered_name": None,
}
METADATA = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}
COMPILED: Json = {
    "loss": "mse",
    "optimizer": {
        "module": "keras.optimizers",
        "class_name": "SGD",
        "config": {"name": "SGD", "learning_rate": 0.01},
        "registered_name": None,
    },
}


def layer(kind: str, name: str, module: str = "keras.layers", **config: Any) -> Json:
    """A serialized layer."""
    return {"module": module, "class_name": kind, "config": {"name": name, **config}, "registered_name": None}


def changed(item: Json, **config: Any) -> Json:
    """A copy of a serialized object with some of its config replaced."""
    copied = copy.deepcopy(item)
    copied["config"].update(config)
    return copied


def inputs(*shape: int | None, dtype: str = "float32") -> Json:
    """An InputLayer ``x`` of this shape, without the batch."""
    return changed(INPUT, batch_shape=[None, *shape], dtype=dtype)


def sequential(*layers: Json, **config: Any) -> Json:
    """A Sequential model of Keras 3."""
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "s", "layers": list(layers), **config},
    }


def graph(*layers: Json, output: str = "d", **config: Any) -> Json:
    """A functional model of Keras 3 with the input ``x``."""
    content = {
        "name": "g",
        "layers": list(layers),
        "input_layers": ["x", 0, 0],
        "output_layers": [output, 0, 0],
        **config,
    }
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": content}


def tensor(source: str, call: int = 0, shape: Sequence[int | None] = (None, 3)) -> Json:
    """A reference to a tensor, as Keras 3 writes it."""
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": list(shape), "dtype": "float32", "keras_history": [source, call, 0]},
    }


def called(item: Json, *args: Any, **kwargs: Any) -> Json:
    """A member of a functional model with one call; a string stands for that layer's output."""
    read = [tensor(arg) if isinstance(arg, str) else arg for arg in args]
    node = {"args": read, "kwargs": kwargs}
    return {**item, "name": item["config"]["name"], "inbound_nodes": [node] if args else []}


def entered(item: Json = INPUT) -> Json:
    """An InputLayer as a member of a functional model."""
    return called(item)


def weights(fill: Fill | None = None, **options: Any) -> bytes:
    """``model.weights.h5`` of the layers ``x``, ``d``."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        file["layers/dense/vars/0"] = np.ones((3, 2), "float32")
        file["layers/dense/vars/1"] = np.zeros(2, "float32")
        if fill is not None:
            fill(file)
    return buffer.getvalue()


def nothing(_file: h5py.File) -> None:
    """A filling that adds nothing."""


def no_weights() -> bytes:
    """``model.weights.h5`` without arrays."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w"):
        pass
    return buffer.getvalue()


def archive(
    config: Any = None,
    stored: bytes | None = None,
    members: Mapping[str, bytes] | None = None,
    version: str = "3.15.1",
    **options: Any,
) -> bytes:
    """A ``.keras`` file.

    Args:
        config: ``config.json``, as text or as a value; the model of `DENSE` by default.
        stored: ``model.weights.h5``; that of `DENSE` by default.
        members: further members.
        version: ``keras_version``.
        options: of ``zipfile.ZipFile``.
    """
    document = config if isinstance(config, str | bytes) else json.dumps(config or sequential(INPUT, DENSE))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as file:
        file.writestr("metadata.json", json.dumps({**METADATA, "keras_version": version}))
        file.writestr("config.json", document)
        file.writestr("model.weights.h5", weights() if stored is None else stored)
        for name, content in (members or {}).items():
            file.writestr(name, content)
    return buffer.getvalue()


def model(*layers: Json, **config: Any) -> bytes:
    """A ``.keras`` file of these layers, none of them with weights."""
    return archive(sequential(*layers, **config), no_weights())


LEGACY_DENSE: Json = {
    "class_name": "Dense",
    "config": {"name": "d", "trainable": True, "batch_input_shape": [None, 3], "dtype": "float32", "units": 2,
               "activation": "linear", "use_bias": True},
}  # fmt: skip


def hdf5(
    config: Any = None,
    fill: Fill | None = None,
    training: Any = None,
    version: str = "2.15.0",
    **options: Any,
) -> bytes:
    """An ``.h5`` file of tf.keras 2.

    Args:
        config: ``model_config``, as text or as a value; one Dense layer by default.
        fill: adds or changes what is in it.
        training: ``training_config``.
        version: ``keras_version``.
        options: of ``h5py.File``.
    """
    value = config or {"class_name": "Sequential", "config": {"name": "s", "layers": [LEGACY_DENSE]}}
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        file.attrs["keras_version"] = version
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = value if isinstance(value, str) else json.dumps(value)
        if training is not None:
            file.attrs["training_config"] = json.dumps(training)
        held = file.create_group("model_weights")
        held.attrs["layer_names"] = np.array([b"d"])
        own = held.create_group("d")
        own.attrs["weight_names"] = np.array([b"d/kernel:0", b"d/bias:0"])
        own["d/kernel:0"] = np.ones((3, 2), "float32")
        own["d/bias:0"] = np.zeros(2, "float32")
        if fill is not None:
            fill(file)
    return buffer.getvalue()

"""What a real file's model computes, told by somebody else than us.

In this order: the framework that wrote it; tf_keras on a copy of the file that is mended as far as its own
bugs need (each is named below); a transcription in numpy, layer by layer, for what no framework of today loads.
None of them shares code with the reader or the builder, and no code of a file is run.
"""

from __future__ import annotations

import json
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import keras
import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing tf_keras, not ours
    import tf_keras
    from tf_keras.src.saving.serialization_lib import SafeModeScope

Reference = Callable[..., Any]


def reference(path: Path) -> tuple[Reference | None, str]:
    """A model that computes what the file's own framework would, and where it is from; None, and why, for none."""
    problem = ""
    for source, load in _SOURCES.items():
        try:
            with SafeModeScope(True):
                return load(path), source
        except Exception as error:  # whatever a framework raises at a file that it cannot load
            problem = problem or str(error).partition("\n")[0][:100]
    return None, problem


def _tf_keras(path: Path, objects: Mapping[str, Any] | None = None) -> Reference:
    model: Reference = tf_keras.models.load_model(path, compile=False, custom_objects=objects)
    return model


def _keras(path: Path) -> Reference:
    model: Reference = keras.models.load_model(path, compile=False, safe_mode=True)
    return model


# --- tf_keras, on a copy ------------------------------------------------------------------------------------


class InstanceNormalization(tf_keras.layers.Layer):  # type: ignore[misc]  # tf_keras has no types
    """The layer of TensorFlow Addons, and that of keras-contrib, from their documentation.

    The first adds epsilon to the variance of each channel, the second to the standard deviation of the axes
    that ``axis`` leaves, and has one ``gamma`` where that is None.
    """

    def __init__(
        self, axis: int | None = -1, epsilon: float = 1e-3, groups: int | None = None, **others: Any
    ) -> None:
        known = {key: value for key, value in others.items() if key in ("name", "trainable", "dtype")}
        super().__init__(**known)
        self.axis, self.epsilon, self.addons = axis, epsilon, groups is not None

    def build(self, shape: Any) -> None:
        """Make ``gamma`` and ``beta``."""
        size = 1 if self.axis is None else shape[self.axis]
        self.gamma = self.add_weight(name="gamma", shape=(size,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(size,), initializer="zeros")

    def call(self, x: Any) -> Any:
        """Normalise every sample."""
        ops = keras.ops
        axes = [1, 2] if self.axis is not None else [1, 2, 3]
        mean = ops.mean(x, axis=axes, keepdims=True)
        variance = ops.mean(ops.square(x - mean), axis=axes, keepdims=True)
        spread = ops.sqrt(variance + self.epsilon) if self.addons else ops.sqrt(variance) + self.epsilon
        return self.gamma * (x - mean) / spread + self.beta


def _mended(path: Path) -> Reference:
    """tf_keras, told of InstanceNormalization, on a file whose names it can follow.

    A ``.keras`` file of tf.keras 2.15 names modules of a package that is Keras 3 today, and one that was
    written on Windows has backslashes in the paths of its weights, which tf_keras looks up with slashes.
    """
    objects = {"InstanceNormalization": InstanceNormalization}
    if not zipfile.is_zipfile(path):
        return _tf_keras(path, objects)
    with tempfile.TemporaryDirectory(prefix="unstuck-reference-") as folder, zipfile.ZipFile(path) as archive:
        copy = Path(folder) / "copy.keras"
        with zipfile.ZipFile(copy, "w") as mended:
            for name in archive.namelist():
                data = archive.read(name)
                if name == "config.json":
                    data = re.sub(rb'"module": "keras\.', b'"module": "tf_keras.', data)
                    data = data.replace(b'"module": "keras"', b'"module": "tf_keras"')
                if name.endswith(".h5"):
                    data = _with_slashes(data, Path(folder))
                mended.writestr(name, data)
        return _tf_keras(copy, objects)


def _with_slashes(data: bytes, folder: Path) -> bytes:
    (folder / "before.h5").write_bytes(data)
    with h5py.File(folder / "before.h5") as before, h5py.File(folder / "after.h5", "w") as after:

        def copied(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                after[name.replace("\\", "/")] = item[()]
            else:
                after.require_group(name.replace("\\", "/"))

        before.visititems(copied)
    return (folder / "after.h5").read_bytes()


# --- numpy --------------------------------------------------------------------------------------------------


def _transcribed(path: Path) -> Reference:
    """A Sequential of Keras 1 or of Keras 2 before 2.2.3, whose config is a bare list, layer by layer."""
    with h5py.File(path) as file:
        layers = json.loads(file.attrs["model_config"])["config"]
        group = file["model_weights"]
        weights = {
            layer["config"]["name"]: [
                np.asarray(group[layer["config"]["name"]][name], "float64")
                for name in group[layer["config"]["name"]].attrs["weight_names"]
            ]
            for layer in layers
        }
    steps = [
        (_STEPS[layer["class_name"]], layer["config"], weights[layer["config"]["name"]]) for layer in layers
    ]

    def model(x: Any, *, training: bool) -> Any:
        assert not training
        for step, config, arrays in steps:
            x = step(np.asarray(x), config, *arrays)
        return x

    return model


def _activated(x: Any, name: str) -> Any:
    return {
        "linear": lambda: x,
        "relu": lambda: np.maximum(x, 0),
        "elu": lambda: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        "sigmoid": lambda: 1 / (1 + np.exp(-x)),
        "hard_sigmoid": lambda: np.clip(0.2 * x + 0.5, 0, 1),
        "tanh": lambda: np.tanh(x),
    }[name]()


def _scaled(x: Any, _: Mapping[str, Any]) -> Any:
    """``lambda x: x / 127.5 - 1.``: what the authors of both files with a Lambda published with them."""
    return x / 127.5 - 1.0


def _convolved(x: Any, config: Mapping[str, Any], kernel: Any, bias: Any) -> Any:
    """A convolution of Keras 1 without padding, channels last."""
    assert config["border_mode"] == "valid"
    assert config["dim_ordering"] == "tf"
    down, along = config["subsample"]
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    found = np.einsum("bijchw,hwcf->bijf", windows[:, ::down, ::along], kernel, optimize=True)
    return _activated(found + bias, config["activation"])


def _dense(x: Any, config: Mapping[str, Any], kernel: Any, bias: Any) -> Any:
    return _activated(x @ kernel + bias, config["activation"])


def _gated(x: Any, config: Mapping[str, Any], kernel: Any, recurrent: Any, bias: Any) -> Any:
    """A GRU as Keras 2 had it before 2.1.5: the reset gate acts before the recurrent product."""
    units = config["units"]
    assert not config["return_sequences"]
    state = np.zeros((len(x), units))
    update, reset, new = (slice(n * units, (n + 1) * units) for n in range(3))
    for step in x.swapaxes(0, 1):
        given = step @ kernel + bias
        gates = [
            _activated(given[:, gate] + state @ recurrent[:, gate], config["recurrent_activation"])
            for gate in (update, reset)
        ]
        proposed = _activated(given[:, new] + (gates[1] * state) @ recurrent[:, new], config["activation"])
        state = gates[0] * state + (1 - gates[0]) * proposed
    return state


_STEPS: Final[dict[str, Callable[..., Any]]] = {
    "Activation": lambda x, config: _activated(x, config["activation"]),
    "Convolution2D": _convolved,
    "Dense": _dense,
    "Dropout": lambda x, _: x,
    "Embedding": lambda x, _, table: table[x.astype(int)],
    "Flatten": lambda x, _: x.reshape(len(x), -1),
    "GRU": _gated,
    "Lambda": _scaled,
}

_SOURCES: Final[dict[str, Callable[[Path], Reference]]] = {
    "tf_keras": _tf_keras,
    "Keras 3": _keras,
    "tf_keras, mended copy": _mended,
    "numpy, by hand": _transcribed,
}
"""Where a reference is from -> how to get it."""

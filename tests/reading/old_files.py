"""Writes files as Keras 1 and early Keras 2 laid them out, array by array."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Arrays = Mapping[str, Sequence[tuple[str, Any]]]
"""Layer -> its weights' names and values, in the file's order."""


def write(
    path: Path,
    config: Mapping[str, Any],
    arrays: Arrays,
    *,
    version: str | None = "1.2.2",
    backend: str | None = None,
    optimizer: tuple[Mapping[str, Any], Sequence[Any]] | None = None,
) -> Path:
    """An ``.h5`` file.

    Args:
        path: where.
        config: the model's config.
        arrays: its weights.
        version, backend: what the file says of its Keras; None for nothing.
        optimizer: the compile settings and the optimizer's arrays, which have names that say nothing.
    """
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        above = file.create_group("model_weights")
        for key, value in (("keras_version", version), ("backend", backend)):
            if value is not None:
                file.attrs[key] = above.attrs[key] = value
        above.attrs["layer_names"] = [name.encode() for name in arrays]
        for layer, weights in arrays.items():
            group = above.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name, _ in weights]
            for name, value in weights:
                group.create_dataset(name, data=value)
        if optimizer is not None:
            settings, slots = optimizer
            file.attrs["training_config"] = json.dumps(settings)
            group = file.create_group("optimizer_weights")
            names = [f"Variable_{number}:0" for number in range(5, 5 + len(slots))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, slots, strict=True):
                group.create_dataset(name, data=value)
    return path


def numbers(*shape: int, seed: int = 0) -> Any:
    """Seeded numbers whose every element differs."""
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype("float32")


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    """A serialized layer of a Sequential."""
    return {"class_name": kind, "config": {"name": name, "trainable": True, **config}}


def sequential(*layers: Any) -> dict[str, Any]:
    """A Sequential whose config is a list, as Keras wrote it before 2.2.3."""
    return {"class_name": "Sequential", "config": list(layers)}

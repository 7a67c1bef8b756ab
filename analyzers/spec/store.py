"""A ModelSpec on disk: ``spec.json``, strict JSON, and ``weights.bin``, plain arrays one after another.

This is all that crosses from the process that reads a stranger's file to those that work on it.  Both
files are checked again when they are read: every array must lie inside ``weights.bin``.

In ``spec.json`` a call's tensor is ``{"$ref": [layer, call, index]}``, a list in a call stands for a
tuple, and a float that JSON cannot hold is ``{"$float": "nan" | "inf" | "-inf"}``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import ml_dtypes
import numpy as np

from analyzers.spec.model import (
    Argument,
    Call,
    Json,
    LayerSpec,
    ModelSpec,
    ObjectSpec,
    Provenance,
    TensorRef,
    TrainingSpec,
)
from analyzers.spec.weights import NO_WEIGHTS, Array, TensorInfo, Weights

SPEC_FILE: Final = "spec.json"
WEIGHTS_FILE: Final = "weights.bin"
FORMAT_VERSION: Final = 1

_ALIGNMENT: Final = 64
"""Arrays start at multiples of this, so that a map of the file gives aligned arrays."""

_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    **{
        name: np.dtype(name)
        for name in ("bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
                     "uint8", "uint16", "uint32", "uint64")
    },
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}  # fmt: skip
"""Every dtype that a stored tensor may have, little-endian."""


@dataclass(frozen=True)
class StoredWeights:
    """Weights in a memory-mapped file of plain arrays; see :class:`analyzers.spec.Weights`.

    Attributes:
        copied: whether the values were stored; without them only names and shapes are known.
    """

    data: Array = field(repr=False)
    offsets: Mapping[TensorInfo, int] = field(repr=False)
    tensors: Sequence[TensorInfo]
    slots: Sequence[TensorInfo]
    slot_problem: str | None
    copied: bool

    def load(self, tensor: TensorInfo) -> Array:
        """The values of one tensor: a read-only view of the file.

        Raises:
            KeyError: the tensor is not one of this view's, or its values were not copied.
        """
        start = self.offsets[tensor]
        dtype = _DTYPES[tensor.dtype]
        content: Array = self.data[start : start + tensor.size * dtype.itemsize]
        return content.view(dtype).reshape(tensor.shape)


def write(spec: ModelSpec, directory: Path, *, copy_weights: bool) -> None:
    """Store a spec in an existing directory.

    Args:
        spec: what to store; its weights must be loadable when they are copied.
        directory: receives ``spec.json`` and ``weights.bin``.
        copy_weights: whether to store the tensors' values, or only their names and shapes.
    """
    tensors = (*spec.weights.tensors, *spec.weights.slots)
    offsets = (
        _write_arrays(spec, tensors, directory / WEIGHTS_FILE) if copy_weights else [None] * len(tensors)
    )
    document = {
        "version": FORMAT_VERSION,
        "model": _model(spec),
        "weights": {
            "copied": copy_weights,
            "slot_problem": spec.weights.slot_problem,
            "tensors": [
                [info.layer, info.role, list(info.shape), info.dtype, info.slot, offset]
                for info, offset in zip(tensors, offsets, strict=True)
            ],
        },
    }
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    (directory / SPEC_FILE).write_text(text, encoding="utf-8")


def _write_arrays(spec: ModelSpec, tensors: Iterable[TensorInfo], path: Path) -> list[int | None]:
    """Write every tensor's values, C order and little-endian; the offset of each."""
    offsets: list[int | None] = []
    position = 0
    with path.open("wb", buffering=0) as file:
        for info in tensors:
            values = spec.weights.load(info)
            content = np.ascontiguousarray(values, dtype=_DTYPES[info.dtype])
            position += file.write(b"\0" * (-position % _ALIGNMENT))
            offsets.append(position)
            left = memoryview(content.reshape(-1).view(np.uint8).data)
            while left:
                written = file.write(left)
                position += written
                left = left[written:]
    return offsets


def load(directory: Path) -> ModelSpec:
    """Read a stored spec; its weights are mapped, not read.

    Raises:
        ValueError: the files are not what :func:`write` makes, or an array lies outside ``weights.bin``.
        FileNotFoundError: there is no stored spec.
    """
    document = json.loads((directory / SPEC_FILE).read_text(encoding="utf-8"))
    if document["version"] != FORMAT_VERSION:
        raise ValueError(f"stored spec of version {document['version']}")
    return _read_model(document["model"], _read_weights(document["weights"], directory / WEIGHTS_FILE))


def _read_weights(item: Mapping[str, Any], path: Path) -> StoredWeights:
    copied = bool(item["copied"])
    size = path.stat().st_size if copied else 0
    data: Array = np.memmap(path, np.uint8, "r") if size else np.zeros(0, np.uint8)
    tensors: list[TensorInfo] = []
    slots: list[TensorInfo] = []
    offsets: dict[TensorInfo, int] = {}
    for layer, role, shape, dtype, slot, offset in item["tensors"]:
        if dtype not in _DTYPES or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError("a stored tensor has no legal shape and dtype")
        info = TensorInfo(layer, role, tuple(shape), dtype, slot)
        (slots if slot else tensors).append(info)
        if copied:
            length = math.prod(shape) * _DTYPES[dtype].itemsize
            if type(offset) is not int or offset < 0 or offset + length > size or offset % _ALIGNMENT:
                raise ValueError("a stored tensor lies outside its file")
            offsets[info] = offset
    return StoredWeights(data, offsets, tuple(tensors), tuple(slots), item["slot_problem"], copied)


# --- to JSON ----------------------------------------------------------------------------------------


def _model(spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "kind": spec.kind,
        "layers": [_layer(layer) for layer in spec.layers],
        "inputs": [_ref(ref) for ref in spec.inputs],
        "outputs": [_ref(ref) for ref in spec.outputs],
        "training": _training(spec.training) if spec.training is not None else None,
        "provenance": asdict(spec.provenance) if spec.provenance is not None else None,
    }


def _layer(layer: LayerSpec) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "config": _value(layer.config),
        "inbound": [
            {"args": _argument(call.args), "kwargs": _argument(dict(call.kwargs))} for call in layer.inbound
        ],
        "trainable": layer.trainable,
        "path": layer.path,
        "model": _model(layer.model) if layer.model is not None else None,
        "known": layer.known,
        "problem": layer.problem,
        "declared": [list(shape) for shape in layer.declared],
    }


def _training(training: TrainingSpec) -> dict[str, Any]:
    return {
        "losses": [_object(loss) for loss in training.losses],
        "loss_weights": _value(list(training.loss_weights)) if training.loss_weights is not None else None,
        "optimizer": _object(training.optimizer),
        "learning_rate": _value(training.learning_rate),
        "schedule": _object(training.schedule),
        "rate_in_force": _value(training.rate_in_force),
        "steps_taken": training.steps_taken,
        "metrics": list(training.metrics),
    }


def _object(item: ObjectSpec | None) -> dict[str, Any] | None:
    return None if item is None else {"kind": item.kind, "config": _value(item.config)}


def _ref(ref: TensorRef) -> list[Any]:
    return [ref.layer, ref.call, ref.index]


def _value(value: Any) -> Any:
    """A config value with its unspeakable floats wrapped."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _value(item) for key, item in value.items()}
    return value


def _argument(value: Argument) -> Any:
    """A call argument with its tensors wrapped and its tuples as lists."""
    if isinstance(value, TensorRef):
        return {"$ref": _ref(value)}
    if isinstance(value, tuple):
        return [_argument(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _argument(item) for key, item in value.items()}
    return _value(value)


# --- from JSON --------------------------------------------------------------------------------------


def _read_model(item: Mapping[str, Any], weights: Weights = NO_WEIGHTS) -> ModelSpec:
    return ModelSpec(
        name=item["name"],
        kind=item["kind"],
        layers=tuple(_read_layer(layer) for layer in item["layers"]),
        inputs=tuple(TensorRef(*ref) for ref in item["inputs"]),
        outputs=tuple(TensorRef(*ref) for ref in item["outputs"]),
        training=_read_training(item["training"]) if item["training"] is not None else None,
        weights=weights,
        provenance=Provenance(**item["provenance"]) if item["provenance"] is not None else None,
    )


def _read_layer(item: Mapping[str, Any]) -> LayerSpec:
    return LayerSpec(
        name=item["name"],
        kind=item["kind"],
        config=cast("dict[str, Json]", _read_value(item["config"])),
        inbound=tuple(
            Call(
                cast("tuple[Argument, ...]", _read_argument(call["args"])),
                cast("dict[str, Argument]", _read_argument(call["kwargs"])),
            )
            for call in item["inbound"]
        ),
        trainable=item["trainable"],
        path=item["path"],
        model=_read_model(item["model"]) if item["model"] is not None else None,
        known=item["known"],
        problem=item["problem"],
        declared=tuple(tuple(shape) for shape in item["declared"]),
    )


def _read_training(item: Mapping[str, Any]) -> TrainingSpec:
    weights = item["loss_weights"]
    return TrainingSpec(
        losses=tuple(_read_object(loss) for loss in item["losses"]),
        loss_weights=tuple(_read_value(weights)) if weights is not None else None,
        optimizer=_read_object(item["optimizer"]),
        learning_rate=_read_value(item["learning_rate"]),
        schedule=_read_object(item["schedule"]),
        rate_in_force=_read_value(item["rate_in_force"]),
        steps_taken=item["steps_taken"],
        metrics=tuple(item["metrics"]),
    )


def _read_object(item: Mapping[str, Any] | None) -> ObjectSpec | None:
    return None if item is None else ObjectSpec(item["kind"], _read_value(item["config"]))


def _read_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_read_value(item) for item in value]
    if isinstance(value, dict):
        return (
            float(value["$float"])
            if set(value) == {"$float"}
            else {k: _read_value(v) for k, v in value.items()}
        )
    return value


def _read_argument(value: Any) -> Argument:
    if isinstance(value, list):
        return tuple(_read_argument(item) for item in value)
    if isinstance(value, dict):
        if set(value) == {"$ref"}:
            return TensorRef(*value["$ref"])
        if set(value) == {"$float"}:
            return float(value["$float"])
        return {key: _read_argument(item) for key, item in value.items()}
    return cast("Argument", value)

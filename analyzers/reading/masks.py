"""Masks that a layer of Keras 2 was given without a word in the file, and that Keras 3 does not hand on.

A recurrent layer called with ``initial_state=`` took the mask of its sequence in Keras 1 and 2.  Keras 3
looks for one mask an argument and finds none, so the mask is written out: as the operations that Keras 3
itself records for it, an inequality of the tokens with 0 or of the features with the masked value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from analyzers.spec.kinds import DROPOUTS, RECURRENT
from analyzers.spec.model import Call, Json, LayerSpec, TensorRef

_PASSING: Final = DROPOUTS | RECURRENT | {
    "Activation", "ReLU", "LeakyReLU", "ELU", "Dense", "TimeDistributed", "BatchNormalization",
    "LayerNormalization", "GaussianNoise",
}  # fmt: skip
"""Kinds whose output carries the mask of their input."""


def produces_masks(document: Json) -> bool:
    """Whether any layer of a config makes a mask: then operations must not become layers that hand masks on."""
    parts: list[Json] = [document]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if part.get("class_name") == "Masking" or part.get("mask_zero") is True:
                return True
            part = list(part.values())
        if isinstance(part, list):
            parts.extend(inner for inner in part if isinstance(inner, dict | list))
    return False


def written_out(layers: tuple[LayerSpec, ...]) -> tuple[LayerSpec, ...]:
    """The layers of one model of Keras 1 or 2, masks of sequences with initial states made arguments."""
    by_name = {layer.name: layer for layer in layers}
    added: dict[str, LayerSpec] = {}
    found = []
    for layer in layers:
        calls = []
        for call in layer.inbound:
            mask = None
            if layer.kind in RECURRENT and "initial_state" in call.kwargs and "mask" not in call.kwargs:
                mask = _mask(call, by_name, added)
            calls.append(call if mask is None else Call(call.args, {**call.kwargs, "mask": mask}))
        found.append(replace(layer, inbound=tuple(calls)))
    return (*found, *added.values())


def _mask(call: Call, layers: Mapping[str, LayerSpec], added: dict[str, LayerSpec]) -> TensorRef | None:
    """The mask of a call's first tensor; the operations that make it join ``added``."""
    for _ in range(len(layers)):
        ref = call.inputs[0]
        layer = layers[ref.layer]
        if ref.index or not layer.inbound:
            return None
        call = layer.inbound[ref.call]
        operations = _operations(layer, call.inputs[0])
        if operations:
            return _joined(operations, layer, ref.call, layers, added)
        if isinstance(mask := call.kwargs.get("mask"), TensorRef):
            return mask
        if layer.kind not in _PASSING:
            return None
    return None


def _operations(layer: LayerSpec, source: TensorRef) -> list[LayerSpec]:
    """The operations that a layer makes its mask by, one behind the other; none where it makes none."""
    if layer.kind == "Embedding" and layer.config.get("mask_zero"):
        return [LayerSpec("unequal", "NotEqual", {}, (Call((source, 0)),))]
    value = layer.config.get("mask_value", 0.0)
    if layer.kind == "Masking" and isinstance(value, int | float):
        unequal = LayerSpec("unequal", "NotEqual", {}, (Call((source, value)),))
        return [unequal, LayerSpec("any", "Any", {"axis": -1, "keepdims": False}, ())]
    return []


def _joined(
    operations: list[LayerSpec],
    layer: LayerSpec,
    number: int,
    layers: Mapping[str, LayerSpec],
    added: dict[str, LayerSpec],
) -> TensorRef:
    """Name the operations after the layer whose mask they make, and let each take the one before."""
    before: TensorRef | None = None
    for one in operations:
        name = f"{layer.name}_{one.name}_{number}"
        while name in layers:
            name += "_"
        inbound = one.inbound if before is None else (Call((before,)),)
        path = layer.path.removesuffix(layer.name) + name
        added[name] = replace(one, name=name, inbound=inbound, path=path)
        before = TensorRef(name)
    return TensorRef(name)

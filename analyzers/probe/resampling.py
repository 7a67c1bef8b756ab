"""Saved weights on a smaller image: the kernel behind a Flatten, averaged over what each cell now covers.

A Dense layer behind Flatten has one row per position and channel of the map.  On a smaller image the map
has fewer positions; a row then stands for several of the saved ones.  Averaging these and multiplying by
how many there were keeps the layer's answer to any map that is constant over each cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzers.building import Built
from analyzers.building.state import variables
from analyzers.spec import Array, ModelSpec, TensorInfo, by_layer


def resample(built: Built, spec: ModelSpec, paths: Sequence[str]) -> tuple[str, ...]:
    """Fit saved tensors of the layers ``paths`` into the smaller model, where that has a meaning.

    Returns:
        Paths of the layers that keep their fresh values.
    """
    saved = by_layer(spec.weights.tensors)
    return tuple(path for path in paths if not _fits(built, spec, path, saved.get(path, ())))


def _fits(built: Built, spec: ModelSpec, path: str, tensors: Sequence[TensorInfo]) -> bool:
    by_role = {tensor.role: tensor for tensor in tensors}
    ours = variables(built.layers[path])
    if set(ours) != set(by_role) or "kernel" not in ours:
        return False
    maps = _maps(built, path)
    rows, units = by_role["kernel"].shape[0], int(ours["kernel"].shape[-1])
    if maps is None or by_role["kernel"].shape[1:] != (units,):
        return False
    height, width, channels = maps
    native = _native_map(rows, channels, height / width)
    if native is None or native[0] < height or native[1] < width:
        return False
    kernel = spec.weights.load(by_role["kernel"]).reshape(*native, channels * units)
    ours["kernel"].assign(shrink(kernel, height, width).reshape(-1, units))
    for role, tensor in by_role.items():
        if role != "kernel":
            ours[role].assign(spec.weights.load(tensor))
    return True


def _maps(built: Built, path: str) -> tuple[int, int, int] | None:
    """(height, width, channels) of the map that a Flatten in front of the layer sees."""
    layers = {layer.name: layer for layer in built.spec.layers}
    owner = next(layer for layer in built.spec.layers if layer.path == path)
    while owner.inbound:
        producer = layers[owner.inbound[0].inputs[0].layer]
        if owner.kind == "Flatten":
            shape = built.tensors[producer.path, owner.inbound[0].inputs[0].call][0].shape
            return (shape[1], shape[2], shape[3]) if len(shape) == 4 else None
        owner = producer
    return None


def _native_map(rows: int, channels: int, aspect: float) -> tuple[int, int] | None:
    """The (height, width) of the saved map: the factors of its positions nearest to the aspect ratio."""
    positions, rest = divmod(rows, channels)
    if rest:
        return None
    pairs = [(h, positions // h) for h in range(1, positions + 1) if positions % h == 0]
    return min(pairs, key=lambda pair: abs(np.log(pair[0] / pair[1] / aspect)))


def shrink(kernel: Array, height: int, width: int) -> Array:
    """Sum a (rows, columns, n) array over the cells of a height x width grid laid over it."""
    down, across = _cells(kernel.shape[0], height), _cells(kernel.shape[1], width)
    return np.asarray(np.einsum("hr,rcn,wc->hwn", down, kernel, across, optimize=True), np.float32)


def _cells(saved: int, wanted: int) -> Array:
    """(wanted, saved) shares of each saved position that fall into each cell; columns sum to 1."""
    edges = np.linspace(0, saved, wanted + 1)
    starts = np.arange(saved)
    overlap = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return np.asarray(np.clip(overlap, 0, None))

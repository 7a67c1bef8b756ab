"""The saved tensors of a model, read only when somebody asks.

Two implementations of :class:`Weights` exist: over HDF5 (``analyzers.reading``, inside the reading
process only) and over a memory-mapped file of plain arrays (``analyzers.spec.store``, everywhere else).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class TensorInfo:
    """One saved tensor, described without reading its values.

    ``layer`` is the owner's path (``LayerSpec.path``), ``role`` what the tensor is for the layer, in
    Keras's own variable names: ``kernel``, ``bias``, ``gamma``, ``beta``, ``moving_mean``,
    ``moving_variance``, ``depthwise_kernel``, ``pointwise_kernel``, ``recurrent_kernel``,
    ``embeddings``, ``mean``, ``variance``, ``count`` ...  A layer's tensors are unique by role.
    ``slot`` is empty for a weight; for optimizer state it is the slot's name in Keras 3
    (``momentum`` and ``velocity`` for Adam, ``velocity`` for RMSprop, ``momentum`` for SGD,
    ``accumulator`` for Adagrad ...) and ``layer``/``role`` name the weight that the slot belongs to.
    """

    layer: str
    role: str
    shape: tuple[int, ...]
    dtype: str
    slot: str = ""

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


class Weights(Protocol):
    """Lazy, bounds-checked access to the saved tensors."""

    @property
    def tensors(self) -> Sequence[TensorInfo]:
        """Every weight, layer by layer in the model's order, roles in Keras's creation order."""
        ...

    @property
    def slots(self) -> Sequence[TensorInfo]:
        """Every optimizer slot that could be mapped to its weight; empty when there are none."""
        ...

    @property
    def slot_problem(self) -> str | None:
        """Why optimizer state that the file holds could not be mapped, or None."""
        ...

    def load(self, tensor: TensorInfo) -> Array:
        """The values of one tensor of ``tensors`` or ``slots``.

        Raises:
            KeyError: the tensor is not one of this view's.
        """
        ...


class _NoWeights:
    """The view of a model whose file holds no tensors."""

    tensors: Sequence[TensorInfo] = ()
    slots: Sequence[TensorInfo] = ()
    slot_problem: str | None = None

    def load(self, tensor: TensorInfo) -> Array:
        raise KeyError(tensor)


NO_WEIGHTS: Weights = _NoWeights()


def by_layer(tensors: Sequence[TensorInfo]) -> Mapping[str, tuple[TensorInfo, ...]]:
    """Group tensors by the path of the layer that owns them, order kept."""
    groups: dict[str, list[TensorInfo]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.layer, []).append(tensor)
    return {layer: tuple(members) for layer, members in groups.items()}

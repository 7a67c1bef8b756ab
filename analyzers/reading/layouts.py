"""How older files lay out a weight of today: in several arrays, transposed, or flipped.

After ``preprocess_weights_for_loading`` and ``_convert_rnn_weights`` of tf_keras
(``saving/legacy/hdf5_format.py``), and ``convert_kernel`` of Keras 2 (``utils/conv_utils.py``), which load
the weights of such files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analyzers.reading.objects import class_name
from analyzers.reading.plain import sub_config
from analyzers.reading.substitutes import today
from analyzers.spec.model import Json
from analyzers.spec.weights import Array


@dataclass(frozen=True)
class Layout:
    """How one weight is made of the arrays of its layer.

    Attributes:
        arrange: the arrays -> the weight.
        take: their places among the layer's own arrays; None for the next one that no weight has taken.
        linear: whether optimizer state lies as the weight does: each element comes from one element.
    """

    arrange: Callable[[Sequence[Array]], Array]
    take: tuple[int, ...] | None = None
    linear: bool = True


@dataclass(frozen=True)
class Era:
    """When and with what a file was written.

    Attributes:
        legacy: before Keras 3.
        first: by Keras 1.
        theano: by a Theano backend, whose convolutions flip their kernels.
    """

    legacy: bool
    first: bool = False
    theano: bool = False


def _only(arrays: Sequence[Array]) -> Array:
    return arrays[0]


PLAIN: Final = Layout(_only)


def of(item: Mapping[str, Json], era: Era) -> list[Layout] | None:
    """The layouts of a serialized layer's weights in creation order; None where all are plain."""
    written, config = class_name(item), sub_config(item)
    if written in ("Bidirectional", "TimeDistributed"):
        inner = config.get("layer")
        found = of(inner, era) if isinstance(inner, dict) else None
        return found if found is None or written == "TimeDistributed" else [*found, *_shifted(found)]
    if written in _CUDNN:
        return _CUDNN[written]
    kind, _ = today(item)
    if era.first and kind in _GATES and config.get("consume_less") != "gpu":
        return _gates(*_GATES[kind])
    if kind in _KERNELS and (era.first or era.theano):
        return _kernel(kind, config, era)
    return None


def _shifted(layouts: Sequence[Layout]) -> list[Layout]:
    """The layouts of the second direction of a Bidirectional, whose arrays follow those of the first."""
    count = sum(len(layout.take) for layout in layouts if layout.take is not None)
    return [
        Layout(one.arrange, one.take and tuple(place + count for place in one.take), one.linear)
        for one in layouts
    ]


# --- recurrent layers ---------------------------------------------------------------------------------


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate(arrays, axis=-1)


_GATES: Final[dict[str, tuple[int, tuple[int, ...]]]] = {
    "LSTM": (3, (0, 2, 1, 3)),
    "ConvLSTM2D": (3, (0, 2, 1, 3)),
    "GRU": (3, (0, 1, 2)),
}
"""Kind -> arrays a gate, and Keras 1's gates in today's order: it wrote i, c, f, o where Keras 2 has i, f, c, o."""


def _gates(arrays: int, order: tuple[int, ...]) -> list[Layout]:
    """Keras 1 kept kernel, recurrent kernel and bias of each gate apart."""
    return [Layout(_joined, tuple(gate * arrays + part for gate in order)) for part in range(arrays)]


def _by_gate(change: Callable[[Array], Array], gates: int) -> Callable[[Sequence[Array]], Array]:
    """The same change for each gate of a (inputs, gates * units) kernel by itself."""

    def arrange(arrays: Sequence[Array]) -> Array:
        return np.hstack([change(gate) for gate in np.hsplit(arrays[0], gates)])

    return arrange


def _fortran(kernel: Array) -> Array:
    return kernel.T.reshape(kernel.shape, order="F")


def _transposed(kernel: Array) -> Array:
    return kernel.T


def _summed_halves(arrays: Sequence[Array]) -> Array:
    first, second = np.split(arrays[0], 2)
    summed: Array = first + second
    return summed


def _two_rows(arrays: Sequence[Array]) -> Array:
    return arrays[0].reshape(2, -1)


_CUDNN: Final[dict[str, list[Layout]]] = {
    "CuDNNLSTM": [
        Layout(_by_gate(_fortran, 4)),
        Layout(_by_gate(_transposed, 4)),
        Layout(_summed_halves, linear=False),
    ],
    "CuDNNGRU": [Layout(_by_gate(_fortran, 3)), Layout(_by_gate(_transposed, 3)), Layout(_two_rows)],
}
"""Class of a GPU-only layer -> its kernel, recurrent kernel and bias as the plain layer has them."""


# --- convolutions --------------------------------------------------------------------------------------

_KERNELS: Final[dict[str, int]] = {
    "Conv1D": 1,
    "Conv2D": 2,
    "Conv3D": 3,
    "Conv2DTranspose": 2,
}
"""Kind -> spatial axes of its kernel."""


def _kernel(kind: str, config: Mapping[str, Json], era: Era) -> list[Layout] | None:
    """The kernel's layout and the bias's, where the kernel is not as today's."""
    changes: list[Callable[[Array], Array]] = []
    if era.first:
        if kind == "Conv1D":
            changes.append(_without_width(config.get("filter_length"), config.get("nb_filter")))
        axes = _FIRST_AXES.get((kind, config.get("dim_ordering") == "th"))
        if axes is not None:
            changes.append(_reordered(axes))
    if era.theano:
        changes.append(_flipped(_KERNELS[kind]))
    if not changes:
        return None

    def arrange(arrays: Sequence[Array]) -> Array:
        kernel = arrays[0]
        for change in changes:
            kernel = change(kernel)
        return kernel

    return [Layout(arrange), PLAIN]


_FIRST_AXES: Final[dict[tuple[str, bool], tuple[int, ...]]] = {
    ("Conv2D", True): (2, 3, 1, 0),
    ("Conv3D", True): (2, 3, 4, 1, 0),
    ("Conv2DTranspose", True): (2, 3, 0, 1),
    ("Conv2DTranspose", False): (0, 1, 3, 2),
}
"""Kind, whether its ``dim_ordering`` is ``th`` -> axes of Keras 1's kernel in the order of today's."""


def _without_width(length: Json, filters: Json) -> Callable[[Array], Array]:
    """A Conv1D kernel of Keras 1, which was two-dimensional: (length, 1, in, out) or (out, in, length, 1)."""

    def change(kernel: Array) -> Array:
        if kernel.ndim != 4:
            return kernel
        if kernel.shape[:2] != (length, 1) or kernel.shape[3] != filters:
            kernel = kernel.transpose(2, 3, 1, 0)
        return kernel[:, 0]

    return change


def _reordered(axes: tuple[int, ...]) -> Callable[[Array], Array]:
    """A kernel with its axes in this order."""

    def change(kernel: Array) -> Array:
        reordered: Array = kernel.transpose(axes)
        return reordered

    return change


def _flipped(rank: int) -> Callable[[Array], Array]:
    """A kernel turned round along its first ``rank`` axes: Theano convolves where TensorFlow correlates."""
    turned = (slice(None, None, -1),) * rank

    def change(kernel: Array) -> Array:
        flipped: Array = kernel[turned]
        return flipped

    return change

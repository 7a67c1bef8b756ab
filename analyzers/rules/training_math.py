"""What an initialiser and an activation do to the scale of a signal and of its gradient.

Notation: a layer with ``n`` connections into each unit and weights of mean square ``v`` turns inputs
of mean square ``q`` into pre-activations of mean square ``n v q``; an activation turns those into
``E[phi(sqrt(q) z)^2]`` and scales the gradient's mean square by ``E[phi'(sqrt(q) z)^2]``, ``z`` normal
(He et al. 2015, section 2.2; Poole et al. 2016; Schoenholz et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analyzers.spec import LayerSpec, Shape
from analyzers.spec.roles import core

Values = NDArray[np.float64]

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _sigmoid(x: Values) -> Values:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0)))


def _gelu(x: Values) -> Values:
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def _elu(x: Values) -> Values:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))


def _leaky(slope: float) -> Callable[[Values], Values]:
    return lambda x: np.where(x > 0, x, slope * x)


_FUNCTIONS: Final[Mapping[str, Callable[[Values], Values]]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "relu6": lambda x: np.clip(x, 0.0, 6.0),
    "leaky_relu": _leaky(0.2),
    "prelu": _leaky(0.0),
    "elu": _elu,
    "celu": _elu,
    "selu": lambda x: _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0.0))),
    "gelu": _gelu,
    "silu": lambda x: x * _sigmoid(x),
    "swish": lambda x: x * _sigmoid(x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0.0, x)),
    "softplus": lambda x: np.logaddexp(0.0, x),
    "softsign": lambda x: x / (1.0 + np.abs(x)),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "hard_sigmoid": lambda x: np.clip(x / 6.0 + 0.5, 0.0, 1.0),
    "hard_tanh": lambda x: np.clip(x, -1.0, 1.0),
    "hard_silu": lambda x: x * np.clip(x / 6.0 + 0.5, 0.0, 1.0),
}
"""Activations by their name in a spec; LeakyReLU's slope is Keras's default where none is given."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(127)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_STEP: Final = 1e-4


@dataclass(frozen=True)
class Gain:
    """What an activation does to the mean square of a signal and of the gradient that comes back."""

    signal: float
    gradient: float


@lru_cache(maxsize=4096)
def activation_gain(name: str, mean_square: float, slope: float | None = None) -> Gain | None:
    """Gains for zero-mean normal pre-activations of the given mean square.

    Args:
        name: the activation as a spec names it.
        mean_square: of the pre-activations; must be positive and finite.
        slope: of the negative side, for the leaky ReLU.

    Returns:
        None for an activation that is not a function of one unit (softmax) or is not known.
    """
    phi = _leaky(slope) if name == "leaky_relu" and slope is not None else _FUNCTIONS.get(name)
    if phi is None or not (math.isfinite(mean_square) and mean_square > 0):
        return None
    x = math.sqrt(mean_square) * _NODES
    step = _STEP * math.sqrt(mean_square)
    slopes = (phi(x + step) - phi(x - step)) / (2 * step)
    return Gain(
        float(np.sum(_WEIGHTS * phi(x) ** 2)) / mean_square,
        float(np.sum(_WEIGHTS * slopes**2)),
    )


@dataclass(frozen=True)
class Kernel:
    """One learnt kernel as its initialiser and its connections see it.

    Attributes:
        connections: inputs that each unit sums over.
        fan_in, fan_out: as Keras's initialisers count them from the kernel's shape.
        initializer: ``{"kind": ..., "config": {...}}`` or a plain name.
        count: number of weights.
        outputs: units (channels) of the output.
    """

    connections: float
    fan_in: float
    fan_out: float
    initializer: Any
    count: int
    outputs: int


def initializer_name(initializer: Any) -> str:
    """Class name of an initialiser, ``GlorotUniform`` where none is given (Keras's default)."""
    if isinstance(initializer, Mapping):
        return str(initializer.get("kind", ""))
    return str(initializer) if initializer else "GlorotUniform"


_SCALED: Final[Mapping[str, tuple[float, str]]] = {
    "GlorotUniform": (1.0, "fan_avg"), "GlorotNormal": (1.0, "fan_avg"),
    "HeUniform": (2.0, "fan_in"), "HeNormal": (2.0, "fan_in"),
    "LecunUniform": (1.0, "fan_in"), "LecunNormal": (1.0, "fan_in"),
}  # fmt: skip
"""Variance-scaling initialisers: variance = scale / fan (Keras's VarianceScaling)."""

TRUNCATED_STD: Final = 0.87962566103423978
"""Standard deviation of a normal distribution cut at two of its own standard deviations."""


def _number(config: Mapping[str, Any], key: str, default: float) -> float:
    value = config.get(key, default)
    return float(value) if isinstance(value, int | float) else default


def weight_variance(kernel: Kernel) -> float | None:
    """Mean square of freshly initialised weights; None for initialisers that are no zero-mean noise."""
    name = initializer_name(kernel.initializer)
    raw = kernel.initializer.get("config") if isinstance(kernel.initializer, Mapping) else None
    config: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    if name in _SCALED or name == "VarianceScaling":
        scale, mode = _SCALED.get(name, (_number(config, "scale", 1.0), str(config.get("mode", "fan_in"))))
        fans = {"fan_in": kernel.fan_in, "fan_out": kernel.fan_out}
        return scale / max(fans.get(mode, (kernel.fan_in + kernel.fan_out) / 2), 1.0)
    if name == "Orthogonal":
        return _number(config, "gain", 1.0) ** 2 / max(kernel.connections, kernel.outputs, 1.0)
    if name == "RandomNormal" and _number(config, "mean", 0.0) == 0:
        return _number(config, "stddev", 0.05) ** 2
    if name == "TruncatedNormal" and _number(config, "mean", 0.0) == 0:
        return (_number(config, "stddev", 0.05) * TRUNCATED_STD) ** 2
    if name == "RandomUniform":
        low, high = _number(config, "minval", -0.05), _number(config, "maxval", 0.05)
        return (high - low) ** 2 / 12 if low == -high else None
    return None


def _sizes(value: Any, rank: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * rank
    if isinstance(value, Sequence) and all(isinstance(item, int) for item in value):
        return tuple(value)
    return ()


def channels(shape: Shape, config: Mapping[str, Any]) -> int | None:
    """Channels of a tensor, from its shape and the layer's ``data_format``."""
    if len(shape) < 2:
        return None
    return shape[1] if config.get("data_format") == "channels_first" else shape[-1]


def kernels(layer: LayerSpec, input_shape: Shape) -> tuple[Kernel, ...]:
    """The kernels that the layer multiplies by, in order; empty where that cannot be told, or there can be none.

    Args:
        layer: a weighted layer; TimeDistributed is looked through.
        input_shape: of its input, batch axis first.
    """
    inner = core(layer)
    maker = _MAKERS.get(inner.kind)
    width = channels(input_shape, inner.config)
    found = maker(inner.config, width) if maker is not None and width else ()
    possible = all(min(one.connections, one.fan_in, one.fan_out, one.outputs) > 0 for one in found)
    return found if possible else ()


def _dense(config: Mapping[str, Any], width: int) -> tuple[Kernel, ...]:
    units = config.get("units")
    if not isinstance(units, int):
        return ()
    return (Kernel(width, width, units, config.get("kernel_initializer"), width * units, units),)


def _field(config: Mapping[str, Any], rank: int) -> int:
    return math.prod(_sizes(config.get("kernel_size"), rank) or (0,))


def _convolution(rank: int) -> Callable[[Mapping[str, Any], int], tuple[Kernel, ...]]:
    """A convolution: every output adds up the window in each channel of its group."""

    def make(config: Mapping[str, Any], width: int) -> tuple[Kernel, ...]:
        area, filters, groups = _field(config, rank), config.get("filters"), config.get("groups") or 1
        if not (isinstance(filters, int) and isinstance(groups, int) and area):
            return ()
        depth = max(width // groups, 1)
        initializer = config.get("kernel_initializer")
        return (
            Kernel(area * depth, area * depth, area * filters, initializer, area * depth * filters, filters),
        )

    return make


def _transposed(rank: int) -> Callable[[Mapping[str, Any], int], tuple[Kernel, ...]]:
    """A transposed convolution: the strides spread the window, so fewer weights meet at each output."""

    def make(config: Mapping[str, Any], width: int) -> tuple[Kernel, ...]:
        area, filters = _field(config, rank), config.get("filters")
        stride = math.prod(_sizes(config.get("strides", 1), rank) or (1,))
        if not (isinstance(filters, int) and area):
            return ()
        connections = max(area / stride, 1.0) * width
        initializer = config.get("kernel_initializer")
        return (
            Kernel(connections, area * filters, area * width, initializer, area * filters * width, filters),
        )

    return make


def _depthwise(rank: int) -> Callable[[Mapping[str, Any], int], tuple[Kernel, ...]]:
    """A depthwise convolution: every output sees one channel; Keras counts all of them as fan-in."""

    def make(config: Mapping[str, Any], width: int) -> tuple[Kernel, ...]:
        area, multiplier = _field(config, rank), config.get("depth_multiplier", 1)
        if not (isinstance(multiplier, int) and area):
            return ()
        initializer = config.get("depthwise_initializer")
        outputs = width * multiplier
        return (Kernel(area, area * width, area * multiplier, initializer, area * outputs, outputs),)

    return make


def _separable(rank: int) -> Callable[[Mapping[str, Any], int], tuple[Kernel, ...]]:
    """A depthwise convolution and the pointwise one behind it."""

    def make(config: Mapping[str, Any], width: int) -> tuple[Kernel, ...]:
        first, filters = _depthwise(rank)(config, width), config.get("filters")
        if not (first and isinstance(filters, int)):
            return ()
        middle = first[0].outputs
        initializer = config.get("pointwise_initializer")
        return (*first, Kernel(middle, middle, filters, initializer, middle * filters, filters))

    return make


_MAKERS: Final[Mapping[str, Callable[[Mapping[str, Any], int], tuple[Kernel, ...]]]] = {
    "Dense": _dense,
    **{f"Conv{rank}D": _convolution(rank) for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": _transposed(rank) for rank in (1, 2, 3)},
    **{f"DepthwiseConv{rank}D": _depthwise(rank) for rank in (1, 2)},
    **{f"SeparableConv{rank}D": _separable(rank) for rank in (1, 2)},
}

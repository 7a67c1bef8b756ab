"""Whether a layer's saved weights still have the distribution of its initialiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from analyzers.rules.training_math import TRUNCATED_STD, Kernel, Values, initializer_name, weight_variance
from analyzers.spec import LayerSpec
from analyzers.spec.graph import Graph
from analyzers.spec.roles import core

LEAST_WEIGHTS: Final = 200
"""Weights from which a distribution can be told from a trained kernel's."""

SAMPLE: Final = 4096
"""Weights that are compared, evenly taken from the kernel."""

KOLMOGOROV: Final = 1.63
"""Largest sqrt(n) times the distance between two distributions that are the same, at 1 % error
(Kolmogorov's limit distribution).  Trained kernels have long tails and fail by far."""


def freshness(graph: Graph, layer: LayerSpec, *, tables: bool = False) -> dict[str, Any] | None:
    """How far a layer's saved kernel is from its initialiser's distribution.

    Args:
        graph: the model.
        layer: one of its flat layers.
        tables: whether to look at an Embedding's table too, of which training leaves all rows as they are
            that the data do not name.

    Returns:
        ``distance``, Kolmogorov's times the root of the sample's size, and ``largest_bias``; None for
        kernels of under 200 weights and initialisers that are no zero-mean noise.
    """
    tensors = graph.tensors.get(layer.path, {})
    looked_at = _KERNELS | _TABLES if tables else _KERNELS
    kernel = next((t for role, t in tensors.items() if role in looked_at and t.size >= LEAST_WEIGHTS), None)
    config = core(layer).config
    if kernel is None or len(kernel.shape) < 2:
        return None
    distribution = _distribution(config.get(looked_at[kernel.role]), kernel.shape)
    if distribution is None:
        return None
    values = graph.flat.weights.load(kernel).reshape(-1)
    sample = np.sort(values[:: max(values.size // SAMPLE, 1)].astype(np.float64))
    largest = graph.statistics.of(tensors["bias"]).largest if "bias" in tensors else 0.0
    if not (np.all(np.isfinite(sample)) and math.isfinite(largest)):
        return None
    return {"distance": _distance(sample, distribution), "largest_bias": largest}


def is_fresh(row: Mapping[str, Any], limit: float = KOLMOGOROV) -> bool:
    """Whether a layer's kernel passes for freshly drawn, within a distance, and its biases are still zero."""
    return bool(row["distance"] <= limit and row["largest_bias"] == 0)


_KERNELS: Final = {"kernel": "kernel_initializer", "depthwise_kernel": "depthwise_initializer"}
_TABLES: Final = {"embeddings": "embeddings_initializer"}

_UNIFORM: Final = frozenset({"GlorotUniform", "HeUniform", "LecunUniform", "RandomUniform"})
_TRUNCATED: Final = frozenset({"GlorotNormal", "HeNormal", "LecunNormal", "TruncatedNormal"})


def _distribution(initializer: Any, shape: tuple[int, ...]) -> Callable[[Values], Values] | None:
    """The distribution function of freshly drawn weights; None for initialisers that are not tested."""
    field = math.prod(shape[:-2])
    fan_in, fan_out = field * shape[-2], field * shape[-1]
    variance = weight_variance(Kernel(fan_in, fan_in, fan_out, initializer, math.prod(shape), shape[-1]))
    name = initializer_name(initializer)
    if name == "VarianceScaling" and isinstance(initializer, Mapping):
        given = initializer.get("config")
        drawn = given.get("distribution") if isinstance(given, Mapping) else None
        name = {"uniform": "HeUniform", "untruncated_normal": "RandomNormal"}.get(str(drawn), "HeNormal")
    if not variance:
        return None
    std = math.sqrt(variance)
    if name in _UNIFORM:
        limit = math.sqrt(3.0) * std
        return lambda x: np.clip((x / limit + 1) / 2, 0.0, 1.0)
    if name in _TRUNCATED:
        wide = std / TRUNCATED_STD
        inside = _normal(np.array([2.0]))[0] - _normal(np.array([-2.0]))[0]
        return lambda x: np.clip((_normal(x / wide) - _normal(np.array([-2.0]))) / inside, 0.0, 1.0)
    return (lambda x: _normal(x / std)) if name == "RandomNormal" else None


def _normal(x: Values) -> Values:
    """Standard normal distribution function to 1e-7 (Abramowitz and Stegun 1964, formula 26.2.17)."""
    t = 1.0 / (1.0 + 0.2316419 * np.abs(x))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    upper = np.exp(-0.5 * np.square(x)) / math.sqrt(2.0 * math.pi) * series
    return np.where(x >= 0, 1.0 - upper, upper)


def _distance(sample: Values, distribution: Callable[[Values], Values]) -> float:
    """Kolmogorov's distance between a sorted sample and a distribution, times sqrt(n)."""
    expected = distribution(sample)
    steps = np.arange(sample.size + 1) / sample.size
    gap = max(float(np.max(steps[1:] - expected)), float(np.max(expected - steps[:-1])))
    return gap * math.sqrt(sample.size)

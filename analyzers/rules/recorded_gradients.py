"""The root mean square gradient of each layer in the real training run, from the input to the output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from analyzers.rule import Measurement, NotApplicable
from analyzers.rules.slots import gradient_record, kernels_by_depth, no_memory, rate_in_force, too_few_steps
from analyzers.spec.graph import Graph

LEAST_LAYERS: Final = 4
"""Fewer layers show no trend."""

LEAST_STEPS: Final = 10
"""Steps from which the averages are more than the first batches' gradients."""

STEADY: Final = 0.7
"""Rank correlation of gradient and depth from which a fall or a rise is steady.  LayerScale and
zero-initialised branches make small gradients here and there, not a trend from layer to layer."""


def recorded_profile(graph: Graph) -> Measurement | NotApplicable:
    """Recorded gradient of each layer's first kernel, as it stands and relative to the kernel.

    Returns:
        The first layer's gradient over the last layer's, with one row a layer; layers without a recorded
        gradient above zero are left out.
    """
    spec, memory = graph.flat, gradient_record(graph)
    if memory is None:
        return no_memory(spec)
    if (early := too_few_steps(spec, LEAST_STEPS)) is not None:
        return early
    layers: dict[str, dict[str, Any]] = {}
    for path, kernel in kernels_by_depth(graph):
        gradient = memory.rms(path, kernel.role)
        weight = graph.statistics.of(kernel).rms
        if gradient and weight and math.isfinite(gradient) and math.isfinite(weight):
            layers[path] = {"gradient_rms": gradient, "relative_gradient": gradient / weight}
    if len(layers) < LEAST_LAYERS:
        return NotApplicable(
            f"{len(layers)} layers have a recorded gradient; {LEAST_LAYERS} are needed to tell a trend"
        )
    rows = list(layers.values())
    return Measurement(
        rows[0]["gradient_rms"] / rows[-1]["gradient_rms"],
        "first layer's gradient over last layer's",
        layers,
        {
            "relative_ratio": rows[0]["relative_gradient"] / rows[-1]["relative_gradient"],
            "steadiness": steadiness([row["gradient_rms"] for row in rows]),
            "remembered_steps": memory.remembered,
            "steps": memory.steps,
            "rate_in_force": rate_in_force(spec),
        },
    )


def steadiness(gradients: Sequence[float]) -> float:
    """Spearman's rank correlation of the gradients with their depth; 1 is a fall towards the input."""
    ranks = np.argsort(np.argsort(np.asarray(gradients, dtype=np.float64))).astype(np.float64)
    return float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1])

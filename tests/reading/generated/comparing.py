"""Whether a rebuilt model computes what the framework that wrote its file computes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from analyzers.building import assign_weights, build
from analyzers.reading import open_model
from analyzers.spec import ModelSpec
from analyzers.spec.flatten import flatten

ROWS = 4
_PIXEL = 0.1
OPEN = {2: 12, 3: 12, 4: 32, 5: 8}
"""Rank of an input -> what stands for its open dimensions."""


def rebuilt(path: Path) -> tuple[ModelSpec, keras.Model]:
    """The spec of a file and the model that it gives, with the file's weights."""
    with open_model(path) as spec:
        built = build(spec)
        missed = assign_weights(built, spec.weights)
        if missed:
            raise AssertionError(f"no weights for {missed}")
        return spec, built.model


def samples(spec: ModelSpec, seed: int = 0) -> list[Any]:
    """Seeded inputs for a model: words below every vocabulary's size, pixels where it scales them, else normal."""
    random = np.random.default_rng(seed)
    flat = flatten(spec)
    sizes = [int(str(one.config["input_dim"])) for one in flat.layers if one.kind == "Embedding"]
    looked_up = {
        ref.layer
        for one in flat.layers
        if one.kind == "Embedding"
        for call in one.inbound
        for ref in call.inputs
    }
    words = min(sizes, default=10)
    masked = [one.config.get("mask_value", 0.0) for one in flat.layers if one.kind == "Masking"]
    scaled = any(
        one.kind == "Rescaling" and isinstance(scale := one.config["scale"], float) and 0 < scale < _PIXEL
        for one in flat.layers
    )
    given = []
    for ref in spec.inputs:
        layer = spec.layer(ref.layer)
        shape: Any = layer.config["batch_shape"]
        sized = [shape[0] or ROWS, *(size or OPEN.get(len(shape), 8) for size in shape[1:])]
        dtype = str(layer.config.get("dtype", "float32"))
        if "int" in dtype or layer.name in looked_up:
            values: Any = random.integers(1, words, sized)
            if len(sized) == 2 and sized[1] > 3:
                values[1, -2:] = 0
        else:
            values = (
                random.uniform(0, 255, sized) if scaled and len(sized) == 4 else random.normal(size=sized)
            )
            if masked and len(sized) == 3:
                values[1, -2:] = masked[0]
        given.append(values.astype(dtype))
    return given


def outputs(model: Any, given: Sequence[Any]) -> list[Any]:
    """What a model gives at inference, as arrays in the order of its outputs."""
    structure = model.input if isinstance(getattr(model, "input", None), dict) else None
    inputs: Any = given[0] if len(given) == 1 else list(given)
    if structure is not None:
        inputs = dict(zip(sorted(structure), given, strict=True))
    found = model(inputs, training=False)
    found = [found[key] for key in sorted(found)] if isinstance(found, dict) else found
    return [np.asarray(one, "float64") for one in (found if isinstance(found, list | tuple) else [found])]


def difference(ours: Sequence[Any], theirs: Sequence[Any]) -> float:
    """The largest deviation of any output, relative to how much that output varies between samples."""
    if len(ours) != len(theirs):
        return float("inf")
    worst = 0.0
    for one, other in zip(ours, theirs, strict=True):
        if one.shape != other.shape or not np.array_equal(np.isfinite(one), np.isfinite(other)):
            return float("inf")
        scale = np.max(np.abs(other - other.mean(axis=0)), initial=0.0) or np.max(
            np.abs(other), initial=1e-30
        )
        worst = max(worst, float(np.max(np.abs(one - other), initial=0.0) / scale))
    return worst


def disturb(model: Any, seed: int = 0) -> None:
    """Give biases and normalisations values that are not their initialisers', so that a mix-up shows."""
    random = np.random.default_rng(seed)
    for weight in model.weights:  # a Normalization's own mean and variance act only once it is finalized
        name = (getattr(weight, "path", "") or weight.name).rpartition("/")[2].partition(":")[0]
        value = np.asarray(weight)
        if name == "moving_variance":
            weight.assign(value * random.uniform(0.5, 1.5, value.shape))
        elif name in ("bias", "beta", "gamma", "moving_mean", "alpha", "scale"):
            weight.assign(value + 0.1 * random.normal(size=value.shape))

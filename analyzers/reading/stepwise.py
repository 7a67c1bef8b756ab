"""A TimeDistributed around a whole model, as the model whose every layer is distributed over time.

Both compute the same, and in the second form everything that knows layers knows them: shapes, costs,
rules, the builder.  What a step's layer does to one map it does to all of them; a merge layer sees the
steps as one more axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analyzers.reading.objects import class_name
from analyzers.reading.plain import sub_config
from analyzers.spec.model import Json

_MERGES: Final = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"})
_SHAPES: Final = ("batch_shape", "batch_input_shape", "build_input_shape")


def spread(item: Mapping[str, Json]) -> dict[str, Json] | None:
    """The model that a serialized TimeDistributed stands for; None where it wraps no model, or cannot be one."""
    outer = sub_config(item)
    model = outer.get("layer")
    if class_name(item) != "TimeDistributed" or not isinstance(model, dict):
        return None
    config = model.get("config")
    inner = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(inner, list):
        return None
    layers = [_spread_layer(layer) for layer in inner if isinstance(layer, dict)]
    if len(layers) != len(inner) or any(layer is None for layer in layers):
        return None
    settings = _with_steps(config) if isinstance(config, dict) else {}
    kept: dict[str, Json] = {key: outer[key] for key in ("name", "trainable") if key in outer}
    found: list[Json] = [*layers]
    return {"class_name": class_name(model), "config": {**settings, **kept, "layers": found}}


def _spread_layer(layer: Mapping[str, Json]) -> dict[str, Json] | None:
    """One layer of the model; None for one that cannot be told to work on every step."""
    kind, config = class_name(layer), sub_config(layer)
    if kind == "InputLayer":
        return {**layer, "config": _with_steps(config)}
    if kind in _MERGES:
        axis = config.get("axis")
        later = {"axis": axis + 1} if isinstance(axis, int) and axis > 0 else {}
        return {**layer, "config": {**config, **later}}
    if kind in ("", "TFOpLambda", "SlicingOpLambda") or str(layer.get("module")).startswith("keras.src.ops"):
        return None
    wrapper: dict[str, Json] = {
        key: config[key] for key in ("name", "trainable", "dtype", *_SHAPES) if key in config
    }
    plain = {key: value for key, value in layer.items() if key not in ("inbound_nodes", "name")}
    nodes = {key: layer[key] for key in ("inbound_nodes", "name") if key in layer}
    return {**nodes, "class_name": "TimeDistributed", "config": {**_with_steps(wrapper), "layer": plain}}


def _with_steps(config: Mapping[str, Json]) -> dict[str, Json]:
    """A config whose input shapes have an open axis of steps behind the batch's."""
    found = dict(config)
    for key in _SHAPES:
        shape = config.get(key)
        if isinstance(shape, dict):
            shape = shape.get("items")
        if isinstance(shape, list) and shape:
            found[key] = [shape[0], None, *shape[1:]]
    return found

"""The shapes that the configs of a saved model tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyzers.reading.objects import class_name
from analyzers.reading.plain import sub_config
from analyzers.spec.model import Json, Shape


def sizes(value: Json) -> list[Json] | None:
    """A batch shape out of a config: a list of sizes and Nones."""
    if isinstance(value, dict):
        value = value.get("items")
    if not isinstance(value, list) or not value:
        return None
    if any(size is not None and (type(size) is not int or size < 0) for size in value):
        return None
    return list(value)


def built_shape(item: Mapping[str, Json]) -> list[Json] | None:
    """The input shape that a layer of Keras 3 was built on."""
    built = item.get("build_config")
    return sizes(built.get("input_shape")) if isinstance(built, dict) else None


def built_shapes(item: Mapping[str, Json]) -> list[Shape]:
    """The shapes of the tensors that a layer was built on, of one or of several."""
    built = item.get("build_config")
    told = built.get("input_shape") if isinstance(built, dict) else None
    if (one := sizes(told)) is not None:
        return [plain_shape(one)]
    several = [sizes(shape) for shape in told] if isinstance(told, list) else []
    found = [plain_shape(shape) for shape in several if shape is not None]
    return found if len(found) == len(several) else []


def batch_shape(item: Mapping[str, Json]) -> list[Json] | None:
    """The input shape that a first layer tells, itself or in the model or layer that it wraps."""
    config = sub_config(item)
    for key in ("batch_input_shape", "batch_shape"):
        if (found := sizes(config.get(key))) is not None:
            return found
    wrapped = config.get("layer")
    if class_name(item) == "Bidirectional" and isinstance(wrapped, dict):
        return batch_shape(wrapped) or built_shape(item)
    inner = item.get("config") if isinstance(item.get("config"), list) else config.get("layers")
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):
        return batch_shape(inner[0])
    return built_shape(item)


def plain_shape(shape: Sequence[Json]) -> Shape:
    """A shape out of a config as the spec has it, whatever is no size left open."""
    return tuple(size if isinstance(size, int) else None for size in shape)

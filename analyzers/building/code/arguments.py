"""Constructor calls as an expert writes them: only what differs from Keras's defaults."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

import keras

from analyzers.building.code.text import Expression, literal
from analyzers.building.layers import LAYERS
from analyzers.building.legacy import InstanceNormalization, legacy_hard_sigmoid
from analyzers.building.objects import (
    CONSTRAINTS,
    INITIALIZERS,
    REGULARIZERS,
    Recipe,
    kind_and_config,
)
from analyzers.spec import Json, ModelSpec

_INTERNAL: Final = {
    "LayerScale": "keras.src.applications.convnext",
    "StochasticDepth": "keras.src.applications.convnext",
    "CustomScaleLayer": "keras.src.applications.inception_resnet_v2",
}
"""Layers of ``keras.applications`` that are not in ``keras.layers`` -> their module."""

_QUOTED: Final[Mapping[str, Callable[..., Any]]] = {
    "InstanceNormalization": InstanceNormalization,
    "legacy_hard_sigmoid": legacy_hard_sigmoid,
}
"""Layer kinds and activations that Keras does not have: their source goes into the program."""

_SIZES: Final = frozenset({"kernel_size", "strides", "pool_size", "dilation_rate", "size"})
"""Arguments that take one number for all axes."""

_LISTS: Final = frozenset({"axis", "axes"})
"""Arguments that some layers take as a list, but not as a tuple."""

_FORM: Final[Mapping[str, tuple[Mapping[str, Recipe], str]]] = {
    "initializer": (INITIALIZERS, "keras.initializers"),
    "regularizer": (REGULARIZERS, "keras.regularizers"),
    "constraint": (CONSTRAINTS, "keras.constraints"),
}
"""Last word of an argument's name -> the table of its objects and their module."""

_IMPLIED: Final[Mapping[str, Json]] = {
    "dtype": "float32",
    "data_format": "channels_last",
    "activation": "linear",
}
"""What None stands for in Keras's defaults."""


def imports(kinds: frozenset[str]) -> tuple[str, ...]:
    """Import lines for layers that ``keras.layers`` does not hold."""
    return tuple(f"from {_INTERNAL[kind]} import {kind}" for kind in sorted(kinds & _INTERNAL.keys()))


def quoted(spec: ModelSpec) -> tuple[str, ...]:
    """Imports and definitions, as source, of what the layers of a model use that Keras does not have."""
    named = {word for one in spec.walk() for word in _words([one.kind, *one.config.values()])}
    used = [_QUOTED[name] for name in sorted(named & _QUOTED.keys())]
    sources = [re.sub(r"  # type: ignore\S*", "", inspect.getsource(one)).strip() for one in used]
    return ("from typing import Any", *sources) if any("Any" in source for source in sources) else (*sources,)


def _words(value: Json) -> Iterator[str]:
    """Every string in a plain value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _words(item)


def layer(kind: str, config: Mapping[str, Json], *extra: str) -> Expression:
    """The constructor call of a layer.

    Args:
        kind: a kind of the builder's allowlist.
        config: its arguments.
        extra: further arguments, as source.
    """
    function, make = (
        (kind, LAYERS[kind].make)
        if kind in _INTERNAL or kind in _QUOTED
        else (f"layers.{kind}", getattr(keras.layers, kind))
    )
    call = _call(function, make, LAYERS[kind], config, ())
    return Expression(call.function, (*call.arguments, *extra))


def made(module: str, kind: str, recipe: Recipe, config: Mapping[str, Json], *extra: str) -> Expression:
    """The constructor call of another Keras object; ``extra`` are further arguments, as source."""
    return _call(f"{module}.{kind}", recipe.make, recipe, config, extra)


_FUNCTIONS: Final[Mapping[str, str]] = {
    **{f"{how}Images": f"image.{how.lower()}_images" for how in ("Crop", "Pad")},
    "ExtractPatches": "image.extract_patches",
    "GaussianBlur": "image.gaussian_blur",
    "HSVToRGB": "image.hsv_to_rgb",
    "IFFT2": "ifft2",
    "RGBToGrayscale": "image.rgb_to_grayscale",
    "RGBToHSV": "image.rgb_to_hsv",
    "Resize": "image.resize",
    "SobelEdges": "image.sobel_edges",
}
"""Operation -> its function in ``keras.ops``, where it is not the class's name in snake case."""


def function_name(kind: str) -> str:
    """The function in ``keras.ops`` that makes an operation of that class."""
    return _FUNCTIONS.get(kind) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()


def _call(
    function: str,
    make: Callable[..., Any],
    recipe: Recipe,
    config: Mapping[str, Json],
    extra: tuple[str, ...],
) -> Expression:
    positional: list[str] = []
    keywords: list[str] = []
    signature = _signature(make)
    names = [name for name in signature if name in recipe.arguments]
    names += [name for name in recipe.arguments if name not in signature]
    for name in names:
        if name not in config:
            continue
        value = config[name]
        default = signature.get(name, recipe.arguments[name].default)
        if default is inspect.Parameter.empty:
            positional.append(_value(name, value))
        elif not _is_default(name, value, default, config):
            keywords.append(f"{name}={_value(name, value)}")
    if len(positional) > 2:
        required_names = [name for name in names if signature.get(name) is inspect.Parameter.empty]
        positional = [f"{name}={text}" for name, text in zip(required_names, positional, strict=True)]
    return Expression(function, (*positional, *extra, *keywords))


@cache
def _signature(make: Callable[..., Any]) -> Mapping[str, Any]:
    """Parameter -> default, in order; ``inspect.Parameter.empty`` where there is none."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(make.__init__).parameters.items()
        if name != "self" and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }


def _is_default(name: str, value: Json, default: Any, config: Mapping[str, Json]) -> bool:
    """Whether leaving the argument out gives the same."""
    form = name.rpartition("_")[2]
    if value is None or default is None:
        implied = _IMPLIED.get("activation" if form == "activation" else name)
        if name == "strides" and value is not None and "pool_size" in config:
            return _same(value, config["pool_size"])
        return value is default or (value in (None, implied) and default in (None, implied))
    if form in _FORM:
        return _is_default_object(form, value, default)
    return _same(value, default)


def _is_default_object(form: str, value: Json, default: Any) -> bool:
    table, _ = _FORM[form]
    kind, config = kind_and_config(value)
    if not isinstance(default, str) or form != "initializer":
        return False
    usual = type(keras.initializers.get(default)).__name__
    return kind == usual and not made("", kind, table[kind], config).arguments


def _same(value: Json, default: Any) -> bool:
    """Equality, with lists as tuples and one number as a list of it."""
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return len(value) == len(default) and all(map(_same, value, default))
    if isinstance(value, list | tuple):
        return len(value) > 0 and all(_same(item, default) for item in value)
    if isinstance(default, list | tuple):
        return all(_same(value, item) for item in default)
    return type(value) is type(default) and value == default if isinstance(value, bool) else value == default


def _object(form: str, value: Json) -> str:
    """An initialiser by name where it has no settings; a regulariser with all of them, as they are what it is."""
    table, module = _FORM[form]
    kind, config = kind_and_config(value)
    if form == "regularizer":
        given = tuple(f"{name}={literal(config[name])}" for name in table[kind].arguments if name in config)
        return str(Expression(f"{module}.{kind}", given))
    call = made(module, kind, table[kind], config)
    return literal(function_name(kind)) if form == "initializer" and not call.arguments else str(call)


def _value(name: str, value: Json) -> str:
    """One argument's value as source."""
    form = name.rpartition("_")[2]
    if form == "activation" and isinstance(value, str) and value in _QUOTED:
        return f"{value}()"
    if form in _FORM and value is not None:
        return _object(form, value)
    if isinstance(value, dict):
        kind, config = kind_and_config(value)
        return str(
            layer(kind, {key: item for key, item in config.items() if key not in ("name", "trainable")})
        )
    if name in _SIZES and isinstance(value, list | tuple) and len(set(map(str, value))) == 1:
        return literal(value[0])
    if name in _LISTS and isinstance(value, list | tuple):
        return f"[{', '.join(literal(item) for item in value)}]"
    return literal(value)

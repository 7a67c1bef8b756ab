"""JSON from a stranger: checked for size and nesting before it is parsed, and for ambiguity while it is."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from analyzers.bounds import MAX_NAME, MAX_NESTING, MAX_TEXT
from analyzers.errors import InputError
from analyzers.spec.model import Json

MAX_INTEGER = 2**63

_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def short(name: str) -> str:
    """A name as it goes further: one that is longer than any real one is cut, and told apart by a digest."""
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{name[: MAX_NAME - 9]}_{digest}"


def shown(name: object) -> str:
    """A name or value from the file, cut and escaped, fit for an error message."""
    return ascii(str(name)[:MAX_NAME])


def parse(text: bytes | str, what: str) -> Json:
    """Parse one JSON document of the file.

    Args:
        text: the document.
        what: its name in messages, such as ``"model_config"``.

    Raises:
        InputError: ``too-many-objects`` when it is too long or too deep; ``invalid-config`` when it is
            no JSON, has duplicate keys, NaN, infinity, or integers beyond 64 bits.

    Lone surrogates, which no other program could write down, become question marks.
    """
    if len(text) > MAX_TEXT:
        raise InputError("too-many-objects", f"{what} is longer than {MAX_TEXT} bytes")
    try:
        document = text.decode("utf-8") if isinstance(text, bytes) else whole(text)
    except UnicodeDecodeError:
        raise InputError("invalid-config", f"{what} is not UTF-8") from None
    _check_nesting(document, what)
    try:
        value: Json = json.loads(
            document,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_finite,
        )
    except (ValueError, RecursionError):
        raise InputError("invalid-config", f"{what} is not plain JSON") from None
    return _whole_strings(value) if _ESCAPED_SURROGATE.search(document) else value


def whole(text: str) -> str:
    """``text`` with its lone surrogates replaced."""
    return _LONE_SURROGATE.sub("?", text)


def _whole_strings(value: Json) -> Json:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [_whole_strings(item) for item in value]
    if isinstance(value, dict):
        return {whole(key): _whole_strings(item) for key, item in value.items()}
    return value


def _check_nesting(document: str, what: str) -> None:
    depth = 0
    for match in _STRUCTURE.finditer(document):
        mark = match.group()[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_NESTING:
                raise InputError("too-many-objects", f"{what} is nested deeper than {MAX_NESTING}")
        elif mark in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise InputError("invalid-config", "the configuration has duplicate keys")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise InputError("invalid-config", f"the configuration holds {name}")


def _integer(digits: str) -> int:
    if len(digits) > 20 or abs(value := int(digits)) > MAX_INTEGER:
        raise InputError("invalid-config", "the configuration holds an integer beyond 64 bits")
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise InputError("invalid-config", "the configuration holds a number beyond 64 bits")
    return value


def as_dict(value: object, what: str) -> dict[str, Json]:
    """``value`` itself, a JSON object.

    Raises:
        InputError: ``invalid-config``, it is something else.
    """
    if not isinstance(value, dict):
        raise InputError("invalid-config", f"{what} is not an object")
    return value


def as_list(value: object, what: str) -> list[Json]:
    """``value`` itself, a JSON list.

    Raises:
        InputError: ``invalid-config``, it is something else.
    """
    if not isinstance(value, list):
        raise InputError("invalid-config", f"{what} is not a list")
    return value


def as_str(value: object, what: str) -> str:
    """``value`` itself, a string.

    Raises:
        InputError: ``invalid-config``, it is something else.
    """
    if not isinstance(value, str):
        raise InputError("invalid-config", f"{what} is not a string")
    return value


def number(value: Any) -> float | None:
    """``value`` as a float, None where it is no plain number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def sub_config(item: Mapping[str, Json]) -> dict[str, Json]:
    """The ``config`` of a serialized object, empty where it has none."""
    config = item.get("config")
    return dict(config) if isinstance(config, dict) else {}

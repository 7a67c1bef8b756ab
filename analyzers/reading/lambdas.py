"""Lambda layers that are plain arithmetic, told from their bytecode without running it.

``lambda x: x / 127.5 - 1`` is a map ``scale * x + offset``.  Its few instructions are followed on pairs
(scale, offset); whatever else the code does, a name it looks up, a branch, a second argument, ends that,
and the layer stays what it is: Python code that is never run.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from analyzers.reading import marshalled
from analyzers.reading.marshalled import Code
from analyzers.reading.plain import sub_config
from analyzers.spec.model import Json


@dataclass(frozen=True)
class Affine:
    """The value ``scale * x + offset`` of the layer's input ``x``; a plain number has scale 0."""

    scale: float
    offset: float


_INPUT: Final = Affine(1.0, 0.0)


class _NotAffineError(Exception):
    """The code does something else."""


def affine(config: Mapping[str, Json]) -> Affine | None:
    """The map that a Lambda layer's config describes; None where it is none or cannot be told.

    Args:
        config: the layer's settings as the file says them: ``function`` is ``[code, defaults, closure]``
            in Keras 1 and 2, a ``__lambda__`` object in Keras 3.
    """
    data = _code_bytes(config.get("function"))
    if data is None or config.get("arguments") or config.get("mask") is not None:
        return None
    for candidate in data:
        try:
            found = _followed(marshalled.read(candidate))
        except (marshalled.UnreadableError, _NotAffineError, ZeroDivisionError, OverflowError):
            continue
        if found.scale and math.isfinite(found.scale) and math.isfinite(found.offset):
            return found
    return None


def _code_bytes(function: Json) -> list[bytes] | None:
    """The marshalled code, base64 or, before Keras 2.0.7, raw; None for a function by name."""
    parts: list[Json]
    if isinstance(function, dict):
        inner = sub_config(function)
        parts = [inner.get("code"), inner.get("defaults"), inner.get("closure")]
    elif isinstance(function, list):
        parts = [*function, None, None][:3]
    else:
        return None
    text, defaults, closure = parts
    if not isinstance(text, str) or defaults or closure:
        return None
    found = []
    with suppress(binascii.Error, UnicodeEncodeError):
        found.append(binascii.a2b_base64(text.encode("ascii")))
    with suppress(UnicodeEncodeError):
        found.append(text.encode("latin-1"))
    return found


# --- instructions ----------------------------------------------------------------------------------

Operation = Callable[[Affine, Affine], Affine]


def _add(a: Affine, b: Affine) -> Affine:
    return Affine(a.scale + b.scale, a.offset + b.offset)


def _subtract(a: Affine, b: Affine) -> Affine:
    return Affine(a.scale - b.scale, a.offset - b.offset)


def _multiply(a: Affine, b: Affine) -> Affine:
    if a.scale and b.scale:
        raise _NotAffineError
    return Affine(a.scale * b.offset + b.scale * a.offset, a.offset * b.offset)


def _divide(a: Affine, b: Affine) -> Affine:
    if b.scale:
        raise _NotAffineError
    return Affine(a.scale / b.offset, a.offset / b.offset)


def _divide_python2(a: Affine, b: Affine) -> Affine:
    """Python 2's ``/`` rounds between whole numbers; on a tensor it divides."""
    if not a.scale:
        raise _NotAffineError
    return _divide(a, b)


_BINARY: Final[dict[int, Operation]] = {
    **dict.fromkeys((20, 57), _multiply),
    **dict.fromkeys((21, 58), _divide_python2),
    **dict.fromkeys((23, 55), _add),
    **dict.fromkeys((24, 56), _subtract),
    **dict.fromkeys((27, 29), _divide),
}
"""BINARY_x and INPLACE_x of CPython 2.7 to 3.10 (``Lib/opcode.py``) by number."""

_BINARY_OP: Final[dict[int, Operation]] = {
    **dict.fromkeys((0, 13), _add),
    **dict.fromkeys((5, 18), _multiply),
    **dict.fromkeys((10, 23), _subtract),
    **dict.fromkeys((11, 24), _divide),
}
"""Argument of BINARY_OP of CPython 3.11 to 3.14 (``Include/opcode.h``: NB_ADD ... NB_INPLACE_TRUE_DIVIDE)."""


@dataclass(frozen=True)
class _Dialect:
    """Instruction numbers of a range of CPython versions; -1 for one that it does not have.

    Attributes:
        load_fast: those that load one local variable.
        load_pair: those that load two, whose numbers are the argument's halves.
        small_int: loads its argument itself.
        ignored: CACHE and RESUME.
    """

    load_fast: frozenset[int] = frozenset({124})
    load_pair: frozenset[int] = frozenset()
    load_const: int = 100
    small_int: int = -1
    return_value: int = 83
    negative: int = 11
    binary_op: int = -1
    ignored: frozenset[int] = frozenset()


_UNTIL_3_10: Final = _Dialect()
_FROM_3_11: Final[dict[int, _Dialect]] = {
    151: _Dialect(binary_op=122, ignored=frozenset({0, 151})),
    149: _Dialect(
        load_fast=frozenset({85}), load_pair=frozenset({88}), load_const=83, return_value=36, negative=42,
        binary_op=45, ignored=frozenset({0, 149}),
    ),
    128: _Dialect(
        load_fast=frozenset({84, 86}), load_pair=frozenset({87, 89}), load_const=82, small_int=94, return_value=35,
        negative=41, binary_op=44, ignored=frozenset({0, 128}),
    ),
}  # fmt: skip
"""Number of RESUME, which every function starts with, of CPython 3.11 and 3.12, 3.13, 3.14 -> the others."""


def _dialect(code: Code) -> _Dialect:
    if code.layout != "3.11+":
        return _UNTIL_3_10
    found = _FROM_3_11.get(code.code[0]) if code.code else None
    if found is None:
        raise _NotAffineError
    return found


def _instructions(code: Code) -> Iterator[tuple[int, int]]:
    """Number and argument of each instruction: two bytes each from CPython 3.6 on, one or three before."""
    data = code.code
    words = data[-1:] != _RETURN_ALONE
    at = 0
    while at < len(data):
        number = data[at]
        wide = not words and number >= _HAVE_ARGUMENT
        size = 2 if words else 3 if wide else 1
        if at + size > len(data):
            raise _NotAffineError
        yield number, int.from_bytes(data[at + 1 : at + size], "little") if words or wide else 0
        at += size


_HAVE_ARGUMENT: Final = 90
_RETURN_ALONE: Final = bytes([83])
"""RETURN_VALUE without an argument byte, which ends every function before CPython 3.6."""


def _followed(code: Code) -> Affine:
    """The value that a function of one argument returns.

    Raises:
        _NotAffineError: it is not of the form ``scale * x + offset``.
    """
    if code.arguments != 1:
        raise _NotAffineError
    dialect = _dialect(code)
    stack: list[Affine] = []
    for number, argument in _instructions(code):
        if loaded := _loaded(code, dialect, number, argument):
            stack += loaded
        elif number == dialect.return_value and len(stack) == 1:
            return stack[0]
        elif number == dialect.negative and stack:
            stack.append(_subtract(Affine(0.0, 0.0), stack.pop()))
        elif (operation := _operation(dialect, number, argument)) is not None and len(stack) > 1:
            right, left = stack.pop(), stack.pop()
            stack.append(operation(left, right))
        elif number not in dialect.ignored:
            break
    raise _NotAffineError


def _loaded(code: Code, dialect: _Dialect, number: int, argument: int) -> list[Affine]:
    """What an instruction puts on the stack; nothing where it is none that loads the input or a number."""
    if argument == 0 and (number in dialect.load_fast or number in dialect.load_pair):
        return [_INPUT] * (2 if number in dialect.load_pair else 1)
    if number == dialect.small_int:
        return [Affine(0.0, float(argument))]
    return [_constant(code, argument)] if number == dialect.load_const else []


def _operation(dialect: _Dialect, number: int, argument: int) -> Operation | None:
    if dialect.binary_op >= 0:
        return _BINARY_OP.get(argument) if number == dialect.binary_op else None
    return _BINARY.get(number)


def _constant(code: Code, index: int) -> Affine:
    value = code.constants[index] if index < len(code.constants) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _NotAffineError
    return Affine(0.0, float(value))

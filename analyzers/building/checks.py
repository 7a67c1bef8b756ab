"""Checks of single constructor arguments: type, range, enumeration.

A check takes the JSON value that a spec holds and returns the value that a Keras constructor may
receive, or raises :class:`RefusedError`.  Nothing a check returns can make Keras look anything up by name,
apart from words out of closed lists.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from analyzers.spec import Json

MAX_SIZE: Final = 2**16
"""Largest stride, window, dilation, padding or upsampling factor (SAFETY.md)."""
MAX_COUNT: Final = 2**31 - 1
"""Largest number of units, filters, rows; memory is bounded by the plan, not here."""
MAX_RANK: Final = 8
MAX_NUMBERS: Final = 2**16
"""Most numbers in one constant argument, such as the means of a Normalization layer."""


class RefusedError(Exception):
    """An argument is outside what the builder makes.

    Args:
        reason: what is wrong, for the report.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


Check: TypeAlias = Callable[[Json], Any]


@dataclass(frozen=True)
class Argument:
    """One constructor argument: its check, and the JSON value of a spec that leaves it out."""

    check: Check
    default: Json = None
    required: bool = False


Arguments: TypeAlias = Mapping[str, Argument]


def required(check: Check) -> Argument:
    """An argument without a default."""
    return Argument(check, required=True)


def checked(arguments: Arguments, config: Mapping[str, Json]) -> dict[str, Any]:
    """The constructor arguments for ``config``, every one of them given.

    Raises:
        RefusedError: an argument is unknown, missing or outside its range.
    """
    if unknown := sorted(set(config) - set(arguments)):
        raise RefusedError(f"unknown argument {shown(unknown[0])}")
    values = {}
    for name, argument in arguments.items():
        if argument.required and name not in config:
            raise RefusedError(f"argument {name!r} is missing")
        try:
            values[name] = argument.check(config.get(name, argument.default))
        except RefusedError as refusal:
            raise RefusedError(f"{name}: {refusal.reason}") from None
    return values


def shown(value: object) -> str:
    """``value`` as it may appear in a message: quoted and short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def number(low: float = -math.inf, high: float = math.inf) -> Check:
    """A finite number in [low, high]."""

    def check(value: Json) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise RefusedError(f"{shown(value)} is not a finite number")
        if not low <= value <= high:
            raise RefusedError(f"{value} is not between {low} and {high}")
        return value

    return check


def integer(low: int, high: int = MAX_COUNT) -> Check:
    """A whole number in [low, high]; 3.0 counts as 3."""

    def check(value: Json) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise RefusedError(f"{shown(value)} is not a whole number")
        if not low <= value <= high:
            raise RefusedError(f"{value} is not between {low} and {high}")
        return value

    return check


def flag(value: Json) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        raise RefusedError(f"{shown(value)} is neither true nor false")
    return value


def choice(*options: str | None) -> Check:
    """One of a few words."""

    def check(value: Json) -> str | None:
        if (value is not None and not isinstance(value, str)) or value not in options:
            raise RefusedError(f"{shown(value)} is none of {', '.join(str(option) for option in options)}")
        return value

    return check


def optional(inner: Check) -> Check:
    """None, or what ``inner`` accepts."""

    def check(value: Json) -> Any:
        return None if value is None else inner(value)

    return check


def either(*checks: Check) -> Check:
    """What the first check that does not refuse makes of it."""

    def check(value: Json) -> Any:
        reasons = []
        for one in checks:
            try:
                return one(value)
            except RefusedError as refusal:
                reasons.append(refusal.reason)
        raise RefusedError(" and ".join(reasons))

    return check


def listed(inner: Check, low: int = 0, high: int = MAX_RANK) -> Check:
    """A list of ``low`` to ``high`` items, as a tuple."""

    def check(value: Json) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or not low <= len(value) <= high:
            raise RefusedError(f"{shown(value)} is not a list of {low} to {high} items")
        return tuple(inner(item) for item in value)

    return check


def sizes(rank: int, low: int = 1, high: int = MAX_SIZE) -> Check:
    """A whole number for every one of ``rank`` axes, or one for all of them."""
    one = integer(low, high)
    return either(one, listed(one, rank, rank))


def margins(rank: int) -> Check:
    """Padding or cropping: one number, one for each axis, or a (before, after) pair for each axis."""
    one = integer(0, MAX_SIZE)
    pair = listed(one, 2, 2)
    if rank == 1:
        return either(one, pair)
    return either(one, listed(either(one, pair), rank, rank))


def numbers(value: Json) -> Any:
    """A number or a nested list of numbers, at most ``MAX_NUMBERS`` of them."""
    budget = MAX_NUMBERS

    def convert(item: Json, depth: int) -> Any:
        nonlocal budget
        if isinstance(item, list | tuple):
            if depth == MAX_RANK:
                raise RefusedError("the lists are nested too deep")
            return [convert(inner, depth + 1) for inner in item]
        budget -= 1
        if budget < 0:
            raise RefusedError(f"more than {MAX_NUMBERS} numbers")
        return number()(item)

    return convert(value, 0)


_EQUATION: Final = re.compile(r"(\.\.\.)?[a-zA-Z]{1,8},[a-zA-Z]{1,8}->(\.\.\.)?[a-zA-Z]{1,8}")


def equation(value: Json) -> str:
    """An einsum equation of two operands, such as ``"abc,cd->abd"``."""
    if not isinstance(value, str) or not _EQUATION.fullmatch(value):
        raise RefusedError(f"{shown(value)} is not an equation of axes")
    return value


_TERM: Final = r"[a-zA-Z]{0,8}(\.\.\.)?[a-zA-Z]{0,8}"
_SUBSCRIPTS: Final = re.compile(f"{_TERM}(,{_TERM}){{0,15}}(->{_TERM})?")


def subscripts(value: Json) -> str:
    """An einsum equation of any number of operands, such as ``"bij,bjk->bik"``."""
    if not isinstance(value, str) or not _SUBSCRIPTS.fullmatch(value.replace(" ", "")):
        raise RefusedError(f"{shown(value)} is not an equation of axes")
    return value.replace(" ", "")


def letters(value: Json) -> str:
    """Axes of an einsum equation."""
    if not isinstance(value, str) or not value.isascii() or not value.isalpha() or len(value) > MAX_RANK:
        raise RefusedError(f"{shown(value)} does not name axes")
    return value


def only(*values: Json) -> Check:
    """A value that changes nothing: the argument is known, but no other setting is built."""

    def check(value: Json) -> Json:
        if not any(value is one or (value == one and type(value) is type(one)) for one in values):
            raise RefusedError(f"{shown(value)} is not supported")
        return value

    return check


RATE: Final = number(0, 1)
AXIS: Final = integer(-MAX_RANK, MAX_RANK)
AXES: Final = either(AXIS, listed(AXIS))
DATA_FORMAT: Final = Argument(choice(None, "channels_last", "channels_first"))
EPSILON: Final = number(0, 1e6)
SEED: Final = Argument(optional(integer(-(2**31), 2**32)))

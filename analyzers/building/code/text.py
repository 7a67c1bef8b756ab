"""Values as Python source.  Strings of a file appear as literals only, never as code."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 100
"""Columns of a line before its arguments go on lines of their own."""

MARK: Final = "  # <-- changed"
INDENT: Final = "    "

_FRACTIONS: Final = {1 / 255: "1 / 255", 1 / 127.5: "1 / 127.5", 1 / 256: "1 / 256", 1 / 128: "1 / 128"}
"""Scales of pixels as people write them."""

_LONGEST_IDENTIFIER: Final = 40


def literal(value: object) -> str:
    """A plain value as source; lists become tuples, as Keras's own signatures have them.

    Raises:
        TypeError: the value is neither a number, a string, None nor a list of such.
    """
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float):
        return _FRACTIONS.get(value, repr(value)) if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        items = ", ".join(literal(item) for item in value)
        return f"({items},)" if len(value) == 1 else f"({items})"
    raise TypeError(f"{type(value).__name__} is not a plain value")


def _string(value: str) -> str:
    """A string literal in double quotes; ``repr`` escapes whatever could end it or fool a reader."""
    text = repr(value)
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text


@dataclass(frozen=True)
class Expression:
    """A call: a function of ours and its arguments, each already source."""

    function: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.function}({', '.join(self.arguments)})"


def statement(
    target: str, call: Expression, suffix: str = "", *, changed: bool = False, depth: int = 1
) -> str:
    """``target call(...)suffix`` inside a function, on one line or with an argument a line.

    Args:
        target: what stands in front, with the ``=``.
        call: the expression.
        suffix: what follows the call's bracket.
        changed: mark the statement's first line.
        depth: levels of indentation.
    """
    mark = MARK if changed else ""
    indent = INDENT * depth
    line = f"{indent}{target}{call}{suffix}"
    if not call.arguments or ("\n" not in line and len(line) <= WIDTH):
        return f"{line}{mark}"
    lines = [f"{indent}{target}{call.function}({mark}"]
    lines += [f"{indent}{INDENT}{argument}," for argument in call.arguments]
    return "\n".join([*lines, f"{indent}){suffix}"])


class Identifiers:
    """Makes variable and function names, each only once.  They are ASCII words, whatever a file says."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)

    def make(self, wanted: str) -> str:
        """A free identifier like ``wanted``."""
        word = re.sub(r"[^a-z0-9]+", "_", wanted.lower()).strip("_")[:_LONGEST_IDENTIFIER]
        if not word or word[0].isdigit() or keyword.iskeyword(word) or keyword.issoftkeyword(word):
            word = f"layer_{word}".rstrip("_")
        name, number = word, 1
        while name in self._taken:
            number += 1
            name = f"{word}_{number}"
        self._taken.add(name)
        return name

    def count(self, word: str) -> str:
        """The next of ``word_1``, ``word_2`` ..."""
        number = 1
        while f"{word}_{number}" in self._taken:
            number += 1
        self._taken.add(f"{word}_{number}")
        return f"{word}_{number}"

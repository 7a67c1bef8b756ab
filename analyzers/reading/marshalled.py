"""A reader for marshalled Python code objects: bytes to plain values, nothing is ever executed.

The format is that of ``Python/marshal.c``, versions 2 to 4, as CPython 2.7 to 3.13 write it.  Which
CPython wrote a piece of data it does not say; the layouts of the code object's header are tried in turn.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MAX_BYTES: Final = 2**16
"""Longest marshalled function that is read; a lambda on one line has a few hundred bytes."""

MAX_DEPTH: Final = 16

Value = object
"""A constant of a code object: a number, a string, None, a tuple of such, or something that is not looked at."""


class UnreadableError(Exception):
    """The bytes are no code object of a layout that is known."""


@dataclass(frozen=True)
class Code:
    """What a code object holds, as far as it is used.

    Attributes:
        layout: CPython's version range, by the name that :data:`LAYOUTS` gives it.
        arguments: number of positional arguments.
        code: the instructions.
        constants, names: what instructions refer to.
    """

    layout: str
    arguments: int
    code: bytes
    constants: tuple[Value, ...]
    names: tuple[str, ...]


LAYOUTS: Final[dict[str, tuple[str, ...]]] = {
    "3.11+": (
        "argcount",
        "",
        "",
        "",
        "",
        "*code",
        "*consts",
        "*names",
        "*",
        "*",
        "*",
        "*",
        "*",
        "",
        "*",
        "*",
    ),
    "3.8-3.10": (
        "argcount",
        "",
        "",
        "",
        "",
        "",
        "*code",
        "*consts",
        "*names",
        "*",
        "*",
        "*",
        "*",
        "*",
        "",
        "*",
    ),
    "3.0-3.7": ("argcount", "", "", "", "", "*code", "*consts", "*names", "*", "*", "*", "*", "*", "", "*"),
    "2.7": ("argcount", "", "", "", "*code", "*consts", "*names", "*", "*", "*", "*", "*", "", "*"),
}
"""Range of CPython versions -> fields of a code object in order; those with a star are objects, others 32 bits."""


def read(data: bytes) -> Code:
    """The code object that ``data`` is.

    Raises:
        UnreadableError: it is none, or too long.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableError
    for layout in LAYOUTS:
        try:
            reader = _Reader(data, layout)
            found = reader.value(0)
        except (UnreadableError, struct.error, IndexError, UnicodeDecodeError, ValueError):
            continue
        if isinstance(found, Code) and reader.finished:
            return found
    raise UnreadableError


class _Reader:
    """Reads one marshalled value under one layout of code objects."""

    def __init__(self, data: bytes, layout: str) -> None:
        self._data = data
        self._at = 0
        self._layout = layout
        self._refs: list[Value] = []
        self._interned: list[str] = []

    @property
    def finished(self) -> bool:
        """Whether every byte was read."""
        return self._at == len(self._data)

    def _take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        if size < 0 or len(piece) < size:
            raise UnreadableError
        self._at += size
        return piece

    def _integer(self) -> int:
        return int(struct.unpack("<i", self._take(4))[0])

    def value(self, depth: int) -> Value:
        """The next value."""
        if depth > MAX_DEPTH:
            raise UnreadableError
        mark = self._take(1)[0]
        kind = chr(mark & 0x7F)
        place = len(self._refs)
        if mark & 0x80:
            self._refs.append(None)
        found = self._content(kind, depth)
        if mark & 0x80:
            self._refs[place] = found
        return found

    def _content(self, kind: str, depth: int) -> Value:
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _SCALARS:
            size, convert = _SCALARS[kind]
            return convert(self._take(size))
        if kind in "()[<>":
            count = self._take(1)[0] if kind == ")" else self._integer()
            if not 0 <= count <= len(self._data):
                raise UnreadableError
            return tuple(self.value(depth + 1) for _ in range(count))
        if kind == "c":
            return self._code(depth)
        if kind in "rR":
            return (self._refs if kind == "r" else self._interned)[self._index()]
        if kind in _TEXTS:
            return self._text(kind)
        raise UnreadableError

    def _index(self) -> int:
        index = self._integer()
        if index < 0:
            raise UnreadableError
        return index

    def _text(self, kind: str) -> bytes | str:
        data = self._take(self._take(1)[0] if kind in "zZ" else self._integer())
        if kind == "s":
            return data
        text = data.decode("utf-8" if kind in "ut" else "latin-1", "replace")
        if kind == "t":
            self._interned.append(text)
        return text

    def _code(self, depth: int) -> Code:
        fields: dict[str, Value] = {}
        for name in LAYOUTS[self._layout]:
            found = self.value(depth + 1) if name.startswith("*") else self._integer()
            fields[name.removeprefix("*")] = found
        code, constants, names, count = (fields[key] for key in ("code", "consts", "names", "argcount"))
        if not isinstance(code, bytes) or not isinstance(constants, tuple) or not isinstance(names, tuple):
            raise UnreadableError
        if not isinstance(count, int) or not 0 <= count <= 255:
            raise UnreadableError
        return Code(self._layout, count, code, constants, tuple(_as_text(name) for name in names))


def _as_text(name: Value) -> str:
    return name.decode("latin-1") if isinstance(name, bytes) else str(name)


def _double(data: bytes) -> float:
    return float(struct.unpack("<d", data)[0])


def _whole(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


_CONSTANTS: Final[dict[str, Value]] = {"N": None, "T": True, "F": False, ".": Ellipsis}
_SCALARS: Final[dict[str, tuple[int, Callable[[bytes], Value]]]] = {
    "i": (4, _whole),
    "I": (8, _whole),
    "g": (8, _double),
}
_TEXTS: Final = "stuaAzZ"

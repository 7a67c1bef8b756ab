r"""Strings that came out of a stranger's file, made harmless before any format shows them.

Layer names, loss names and error details are whatever the file says: terminal escapes, bidirectional
overrides that make a name read backwards, invisible characters, megabytes of text.  `name` and `prose`
turn such characters into visible escapes (``\x1b``, ``\u202e``), so that nothing is hidden and nothing acts.
Each renderer adds the escaping of its own format on top.
"""

from __future__ import annotations

import math
import unicodedata
from typing import Any, Final

NAME_LIMIT: Final = 120
"""Characters of a name that are shown; a real Keras path is rarely over 60."""
PROSE_LIMIT: Final = 4000
"""Characters of a sentence or paragraph that are shown."""

_ACTIVE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that control, hide, reorder or break text instead of showing a glyph."""


def _escaped(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _visible(text: str, keep: str) -> str:
    return "".join(
        character
        if character in keep or unicodedata.category(character) not in _ACTIVE_CATEGORIES
        else _escaped(character)
        for character in text
    )


def name(value: str, limit: int = NAME_LIMIT) -> str:
    """A name on one line, no longer than ``limit`` characters before escaping."""
    return _visible(value if len(value) <= limit else value[: limit - 1] + "…", keep="")


def prose(value: str, limit: int = PROSE_LIMIT) -> str:
    """A sentence or paragraph on one line: line breaks and tabs become spaces."""
    return _visible(" ".join(value[: limit + 1].split())[:limit], keep="")


def code(value: str) -> str:
    """A program or a diff: its line breaks and tabs stay, everything else that acts is escaped."""
    return _visible(value.replace("\r\n", "\n"), keep="\n\t")


def plain_json(value: Any) -> Any:
    """``value`` as strict JSON: numbers that are not finite become None, unknown objects their name."""
    if isinstance(value, dict):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)

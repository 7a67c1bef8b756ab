"""Text of the standard library's sources: its words and its characters, which vary a little between Pythons."""

from __future__ import annotations

import io
import re
import sysconfig
import tokenize
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from tests.zoo.tasks.data.parts import Array, Part, RealData, split

MODULES = ("_pydecimal", "doctest", "turtle", "pickletools")
VOCABULARY = 500
"""Token ids: 0 is padding, 1 an unknown word, then words from the most common on."""

WORDS = 24
CHARACTERS = 32
ALPHABET = " abcdefghijklmnopqrstuvwxyz"
WINDOWS = 2000
_PROSE = frozenset({tokenize.STRING, tokenize.COMMENT})


@cache
def _words(module: str) -> dict[str, list[str]]:
    """The module's words in order: those of its strings and comments, and its names."""
    source = (Path(sysconfig.get_path("stdlib")) / f"{module}.py").read_text("utf-8")
    found: dict[str, list[str]] = {"prose": [], "code": []}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _PROSE or token.type == tokenize.NAME:
            which = "prose" if token.type in _PROSE else "code"
            found[which] += re.findall(r"[a-z]+", token.string.lower())
    return found


def prose_or_code() -> RealData:
    """(24,) words -> names of the code (0) or strings and comments (1), (1,)."""
    windows = [
        ([window for module in MODULES for window in _windows(_words(module)[which])], label)
        for label, which in enumerate(("code", "prose"))
    ]
    tokens, labels = _drawn(windows)
    return split((tokens,), (labels[:, None].astype("float32"),))


def modules() -> RealData:
    """(24,) words of strings and comments -> which of four modules they are of."""
    tokens, labels = _drawn([(_windows(_words(m)["prose"]), label) for label, m in enumerate(MODULES)])
    return split((tokens,), (labels,))


def _windows(words: list[str]) -> list[list[str]]:
    return [words[start : start + WORDS] for start in range(0, len(words) - WORDS, WORDS)]


def _drawn(windows: list[tuple[list[list[str]], int]]) -> tuple[Array, Array]:
    """Token ids (samples, 24) int32 and labels (samples,): as many of each source, without repetition."""
    rng = np.random.default_rng(0)
    least = min(len(found) for found, _ in windows)
    chosen = [
        (found[place], label)
        for found, label in windows
        for place in rng.choice(len(found), least, replace=False)
    ]
    common = Counter(word for words, _ in chosen for word in words).most_common(VOCABULARY - 2)
    ids = {word: number for number, (word, _) in enumerate(common, 2)}
    tokens = np.array([[ids.get(word, 1) for word in words] for words, _ in chosen], np.int32)
    return tokens, np.array([label for _, label in chosen])


def characters() -> RealData:
    """(32,) characters -> at each, the next one, (32,); the held-out ones are of another module."""
    return RealData(_next("_pydecimal", WINDOWS), _next("doctest", WINDOWS // 5))


def word_boundaries() -> RealData:
    """(32,) characters -> at each: no letter, the first of a word, or inside a word, (32,)."""
    windows = _characters("_pydecimal", WINDOWS)
    letter = windows > 0
    before = np.concatenate([np.zeros_like(letter[:, :1]), letter[:, :-1]], axis=1)
    tags = np.where(letter, np.where(before, 2, 1), 0)
    return split((windows[:, :CHARACTERS],), (tags[:, :CHARACTERS],))


def _next(module: str, count: int) -> Part:
    windows = _characters(module, count)
    return Part((windows[:, :-1],), (windows[:, 1:],))


def _characters(module: str, count: int) -> Array:
    """(count, 33) character ids, int32: windows at random places of the module's strings and comments."""
    text = " ".join(_words(module)["prose"])
    ids = np.array([ALPHABET.index(character) for character in text], np.int32)
    first = np.random.default_rng(0).integers(0, len(ids) - CHARACTERS - 1, count)
    return np.asarray(ids[first[:, None] + np.arange(CHARACTERS + 1)])

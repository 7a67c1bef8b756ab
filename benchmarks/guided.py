"""Fuzzing led by coverage: what makes the reader run lines that nothing ran before is damaged further.

Lines of ``analyzers.reading`` and ``analyzers.spec`` count, seen by Python's own tracing.  The files that found
new ones are kept in a folder, so that a process which takes over after a crash knows them.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import analyzers.reading
import analyzers.spec
from analyzers.errors import InputError
from tests.hostile.nonsense import damaged

TRACED: Final = tuple(package.__path__[0] for package in (analyzers.reading, analyzers.spec))
CHUNK: Final = 64
"""Most bytes that are cut out, doubled or moved at a time."""
LATEST: Final = 8
"""Of the kept files, so many of the latest are damaged as often as all others together."""

Line = tuple[str, int]


class Coverage:
    """Runs a function and tells which lines of the reader it ran that none before did."""

    def __init__(self) -> None:
        self.seen: set[Line] = set()
        self._new: set[Line] = set()

    def new(self, function: Callable[[], None]) -> int:
        """Lines that ``function`` ran for the first time; its errors pass, the lines are counted all the same."""
        self._new = set()
        sys.settrace(self._enter)
        try:
            function()
        finally:
            sys.settrace(None)
            self.seen |= self._new
        return len(self._new)

    @property
    def latest(self) -> frozenset[Line]:
        """New lines of the last run."""
        return frozenset(self._new)

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(TRACED) else None

    def _line(self, frame: FrameType, event: str, _argument: Any) -> Any:
        line = frame.f_code.co_filename, frame.f_lineno
        if event == "line" and line not in self.seen:
            self._new.add(line)
        return self._line


class Guided:
    """Rounds over one growing collection of files.

    Args:
        contents: what to start from.
        folder: an empty one, where files that found something are kept with the lines that they found.
        read: reads a file.
        seed: of the damage.
    """

    def __init__(
        self, contents: Sequence[bytes], folder: Path, read: Callable[[Path], None], seed: str
    ) -> None:
        self._files, self._folder, self._read, self._seed = list(contents), folder, read, seed
        self._lines, self._known = folder / "lines", 0
        self.coverage = Coverage()
        for number, content in enumerate(contents):  # so that only news counts
            path = folder / f"start{number}"
            path.write_bytes(content)
            with contextlib.suppress(InputError):
                self.coverage.new(partial(read, path))
            path.unlink()
        self._lines.touch()

    def round(self, path: Path, number: int) -> None:
        """Damage one of the files and read it.

        Raises:
            Exception: what reading raised.
        """
        self._catch_up()
        draw = random.Random(f"{self._seed} {number}")  # noqa: S311 - which bytes, not a key
        content = self._changed(draw)
        path.write_bytes(content)
        try:
            self.coverage.new(partial(self._read, path))
        finally:
            if self.coverage.latest:
                self._keep(content, number)

    @property
    def found(self) -> int:
        """Files that found new lines."""
        return len(list(self._folder.glob("*.found")))

    def _keep(self, content: bytes, number: int) -> None:
        self._files.append(content)
        (self._folder / f"{number:08}.found").write_bytes(content)
        with self._lines.open("a", encoding="utf-8") as lines:
            lines.writelines(f"{name}:{line}\n" for name, line in self.coverage.latest)
        self._known = self._lines.stat().st_size

    def _catch_up(self) -> None:
        """Learn what a process before this one found, and ended."""
        if self._lines.stat().st_size == self._known:
            return
        self._files += [kept.read_bytes() for kept in sorted(self._folder.glob("*.found"))]
        rows = (row.rpartition(":") for row in self._lines.read_text("utf-8").splitlines())
        self.coverage.seen |= {(name, int(line)) for name, _, line in rows}
        self._known = self._lines.stat().st_size

    def _changed(self, draw: random.Random) -> bytes:
        content = draw.choice(self._files[-LATEST:] if draw.random() < 0.5 else self._files)
        if draw.random() < 0.6:
            with contextlib.suppress(Exception):  # it may be too damaged to be taken apart
                return damaged(content, draw)
        return _bytes_changed(bytearray(content), draw, draw.choice(self._files))


def _bytes_changed(content: bytearray, draw: random.Random, other: bytes) -> bytes:
    """Some bytes set, cut out, doubled or taken from another file."""
    for _ in range(draw.choice((1, 1, 2, 4, 8))):
        if not content:
            break
        place, length = draw.randrange(len(content)), draw.randint(1, CHUNK)
        kind = draw.randrange(5)
        if kind < 2:
            content[place] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        elif kind == 2:
            del content[place : place + length]
        elif kind == 3:
            content[place:place] = content[place : place + length]
        else:
            content[place : place + length] = other[place : place + length]
    return bytes(content)


def digest(contents: list[bytes]) -> str:
    """SHA-256 of all of them, short."""
    return hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in contents)).hexdigest()[:12]

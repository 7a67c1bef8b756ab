"""What a hostile or broken file is in these tests: its bytes, and the one way in which it must end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trap:
    """What a payload would touch if it could.

    Attributes:
        marker: a path that nothing may ever write.
        secret: a file whose words no report may hold.
        fifo: a pipe that hangs whoever opens it.
        port: a local port to which nothing may ever connect.
    """

    marker: Path
    secret: Path
    fifo: Path
    port: int


@dataclass(frozen=True)
class Refused:
    """The file cannot be used: the problem's code."""

    code: str


@dataclass(frozen=True)
class Static:
    """Judged without training; the report says why in these words."""

    said: str


@dataclass(frozen=True)
class Served:
    """Good, if odd: a report like any other; these words must be in it."""

    said: str = ""


Ending = Refused | Static | Served


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        name: what is wrong with it.
        make: its bytes.
        ending: how its diagnosis must end.
    """

    name: str
    make: Callable[[Trap], bytes]
    ending: Ending


def made(content: Callable[[], bytes]) -> Callable[[Trap], bytes]:
    """A file that knows nothing of the trap."""
    return lambda _: content()

"""Waiting for what other threads and processes do: long enough for a busy machine, no longer than it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

PATIENCE_S: Final = 240.0
"""Far longer than anything takes, and shorter than the time of a whole test."""

T = TypeVar("T")


def until(condition: Callable[[], T | None]) -> T:
    """The first true value of ``condition``, which is asked again and again.

    Raises:
        AssertionError: it has not become true within `PATIENCE_S`.
    """
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"still {value!r} after {PATIENCE_S:.0f} s")
        time.sleep(0.05)
    return value


def join(thread: threading.Thread) -> None:
    """Wait until a thread has ended."""
    thread.join(PATIENCE_S)
    assert not thread.is_alive()

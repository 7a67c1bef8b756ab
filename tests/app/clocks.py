"""Clocks that go when a test tells them to."""

from __future__ import annotations

import time

import pytest


class Clocks:
    """The wall clock and the monotonic clock of this process, in the place of the real ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monotonic = time.monotonic()
        self.wall = time.time()
        monkeypatch.setattr(time, "monotonic", lambda: self.monotonic)
        monkeypatch.setattr(time, "time", lambda: self.wall)

    def go(self, seconds: float) -> None:
        """Let that time pass."""
        self.monotonic += seconds
        self.wall += seconds

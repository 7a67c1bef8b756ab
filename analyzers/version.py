"""The engine's version; reports are cached and compared by it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

VERSION: Final = version("unstuck")

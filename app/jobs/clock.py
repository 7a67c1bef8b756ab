"""Whether the wall clock may be believed where something is erased because it is old."""

from __future__ import annotations

import math
import time
from typing import Final

import structlog

JUMP_S: Final = 300.0
"""Seconds that wall and monotonic clock may differ by over the time from one look to the next."""
DOUBT_S: Final = 3600.0
"""Seconds after a jump for which nothing is erased: time for whoever keeps the clock to put it right."""

_log = structlog.get_logger()


class WallClock:
    """Notices jumps of the wall clock; to be asked at every pass."""

    def __init__(self) -> None:
        self._ahead_s = _ahead_s()
        self._doubted_until = -math.inf

    def trusted(self) -> bool:
        """Whether it has not jumped lately; after that, the new time is the time."""
        ahead_s = _ahead_s()
        jump_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        if abs(jump_s) > JUMP_S:
            _log.warning("the clock jumped: for a while nothing old is erased", seconds=round(jump_s))
            self._doubted_until = time.monotonic() + DOUBT_S
        return time.monotonic() >= self._doubted_until


def _ahead_s() -> float:
    return time.time() - time.monotonic()

"""How often a caller may call."""

from __future__ import annotations

import math
import time
from typing import Final, Literal

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import Problem
from app.settings import Settings
from app.store.jobs import ANYBODY

Kind = Literal["requests", "uploads"]


class Rates:
    """Counts the calls of each API key, in this process.

    Args:
        settings: the rates.
    """

    def __init__(self, settings: Settings) -> None:
        self._limiter: Final = MovingWindowRateLimiter(MemoryStorage())
        self._rates: Final[dict[Kind, RateLimitItem]] = {
            "requests": parse(settings.request_rate),
            "uploads": parse(settings.upload_rate),
        }

    def spend(self, kind: Kind, owner: str) -> None:
        """Count a call; an open service counts nobody's.

        Raises:
            Problem: ``too-many-requests``.
        """
        rate = self._rates[kind]
        if owner != ANYBODY and not self._limiter.hit(rate, kind, owner):
            reset_at = self._limiter.get_window_stats(rate, kind, owner).reset_time
            wait_s = max(1, math.ceil(reset_at - time.time()))
            raise Problem("too-many-requests", f"{kind}: {rate}", headers={"Retry-After": str(wait_s)})

"""Shares with their intervals."""

from __future__ import annotations

import math
from typing import Final

Z: Final = 1.96
"""Standard deviations of a 95 % interval."""


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share, from 0 to 1 (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    share, spread = hits / total, Z**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def counted(hits: int, total: int) -> str:
    """A share for a table: ``41/43 = 95 % (85-99 %)``; ``-`` of nothing."""
    if not total:
        return "-"
    low, high = wilson(hits, total)
    return f"{hits}/{total} = {100 * hits / total:.0f} % ({100 * low:.0f}-{100 * high:.0f} %)"

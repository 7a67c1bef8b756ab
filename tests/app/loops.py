"""Running coroutines in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def ran(following: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine gives, in a thread of its own: the tests' own may have a loop already (Playwright's)."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, following).result()

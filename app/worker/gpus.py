"""What the GPUs of this machine do, as NVIDIA's management library tells it; none where there is none of either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from app.store.workers import Gpu

try:
    import pynvml
except ImportError:  # unstuck[gpu] is not installed
    pynvml = None

T = TypeVar("T")


class Gpus:
    """The GPUs that this process sees.  Looking at them opens none: it takes none of their memory."""

    def __init__(self) -> None:
        self._handles: list[Any] = _asked(_handles) or []

    def look(self) -> Sequence[Gpu]:
        """What each does now; one that has failed is left out."""
        return [gpu for handle in self._handles if (gpu := _asked(partial(_gpu, handle)))]


def _asked(question: Callable[[], T]) -> T | None:
    """The library's answer; None where it has none."""
    if pynvml is not None:
        with suppress(pynvml.NVMLError):
            return question()
    return None


def _handles() -> list[Any]:
    pynvml.nvmlInit()
    return [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]


def _gpu(handle: Any) -> Gpu:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    busy = _asked(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    return Gpu(
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        name=pynvml.nvmlDeviceGetName(handle),
        utilization=None if busy is None else busy / 100,
        memory_used_bytes=memory.used,
        memory_bytes=memory.total,
    )

"""GPUs as the worker's machine tells of them, by NVIDIA's library with a driver that is made up."""

from __future__ import annotations

from types import SimpleNamespace

import pynvml
import pytest

from app.store.workers import Gpu
from app.worker.gpus import Gpus

GIB = 2**30


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """A driver of two GPUs, whose handles are their numbers; those questions that it does not answer."""
    unanswered: set[str] = set()

    def answer(name: str, value: object) -> None:
        def asked(*arguments: int) -> object:
            if name in unanswered:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
            return value(*arguments) if callable(value) else value

        monkeypatch.setattr(pynvml, name, asked)

    answer("nvmlInit", None)
    answer("nvmlDeviceGetCount", 2)
    answer("nvmlDeviceGetHandleByIndex", lambda index: index)
    answer("nvmlDeviceGetUUID", lambda handle: f"GPU-{handle}")
    answer("nvmlDeviceGetName", "H100")
    answer("nvmlDeviceGetUtilizationRates", lambda handle: SimpleNamespace(gpu=25 * handle))
    answer("nvmlDeviceGetMemoryInfo", SimpleNamespace(used=GIB, total=80 * GIB))
    return unanswered


@pytest.mark.usefixtures("driver")
def test_every_gpu_tells_what_it_does() -> None:
    assert Gpus().look() == [
        Gpu("GPU-0", "H100", 0.0, GIB, 80 * GIB),
        Gpu("GPU-1", "H100", 0.25, GIB, 80 * GIB),
    ]


def test_what_a_gpu_does_not_tell_is_not_made_up(driver: set[str]) -> None:
    gpus = Gpus()
    driver.add("nvmlDeviceGetUtilizationRates")
    assert [gpu.utilization for gpu in gpus.look()] == [None, None]
    driver.add("nvmlDeviceGetMemoryInfo")
    assert gpus.look() == []


def test_without_a_driver_there_is_none(driver: set[str]) -> None:
    driver.add("nvmlInit")
    assert Gpus().look() == []

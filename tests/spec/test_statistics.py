from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from analyzers.spec import Array, TensorInfo
from analyzers.spec.statistics import Statistics, summarize


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e25])
@pytest.mark.parametrize("size", [0, 7, (1 << 18) + 3])
def test_sums_agree_with_double_precision_at_every_scale(scale: float, size: int) -> None:
    values = (np.random.default_rng(0).random(size) * scale).astype(np.float32)
    doubles = values.astype(np.float64)
    wanted = (doubles.mean(), np.sqrt(np.square(doubles).mean()), doubles.max()) if size else (0.0, 0.0, 0.0)
    summary = summarize(values)
    assert (summary.mean, summary.rms, summary.largest) == pytest.approx(wanted, rel=1e-4)
    assert summary.finite
    assert summary.zero == (size == 0)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.int32, np.float64])
def test_every_dtype_is_summed_wider(dtype: Any) -> None:
    summary = summarize(np.full((300, 300), -60, dtype=dtype))
    assert (summary.rms, summary.largest, summary.mean) == pytest.approx((60.0, 60.0, -60.0))


def test_double_precision_keeps_its_range() -> None:
    assert summarize(np.array([1e300, -1e299])).finite
    assert summarize(np.array([1e300, -1e299])).largest == 1e300


@pytest.mark.parametrize("place", [0, (1 << 18) + 1])
def test_numbers_that_are_not_finite_are_counted(place: int) -> None:
    values = np.ones((1 << 18) + 8, np.float32)
    values[place], values[place + 2] = np.nan, -np.inf
    summary = summarize(values)
    assert (summary.nan, summary.infinite, summary.finite, summary.zero) == (1, 1, False, False)


def test_each_tensor_is_read_once() -> None:
    tensor = TensorInfo("dense", "kernel", (2, 2), "float32")
    loaded: list[TensorInfo] = []

    class Recording:
        tensors, slots, slot_problem = (tensor,), (), None

        def load(self, tensor: TensorInfo) -> Array:
            loaded.append(tensor)
            return np.full((2, 2), 3.0, np.float32)

    statistics = Statistics(Recording())
    assert statistics.of(tensor) is statistics.of(tensor)
    assert statistics.of(tensor).largest == 3.0
    assert loaded == [tensor]

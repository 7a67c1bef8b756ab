"""The kernels that layers multiply by, as far as rules count them."""

from __future__ import annotations

from typing import Any

import pytest

from analyzers.rules.training_math import kernels
from analyzers.spec.model import LayerSpec

CONVOLUTION = {"filters": 8, "kernel_size": [3, 3], "strides": [1, 1], "groups": 1}


def _kernels(kind: str, **config: Any) -> list[tuple[float, int]]:
    found = kernels(LayerSpec("layer", kind, config, ()), (None, 12, 12, 4))
    return [(kernel.connections, kernel.outputs) for kernel in found]


def test_each_output_sums_over_the_inputs_that_it_is_connected_to() -> None:
    assert _kernels("Dense", units=7) == [(4, 7)]
    assert _kernels("Conv2D", **CONVOLUTION) == [(36, 8)]


@pytest.mark.parametrize("size", [0, -1, -(2**63)])
def test_a_size_that_no_kernel_has_gives_none(size: int) -> None:
    assert _kernels("Dense", units=size) == []
    assert _kernels("Conv2D", **CONVOLUTION | {"filters": size}) == []
    assert _kernels("Conv2D", **CONVOLUTION | {"kernel_size": [size, 1]}) == []

"""Files that end or hang the process that handles them natively: extreme windows, bytes changed in HDF5."""

from __future__ import annotations

from typing import Any, Final

from tests.hostile.case import Case, Refused, made
from tests.hostile.cases.code import UNBUILT, classifier
from tests.hostile.files import COMPILED, hdf5, layer


def _window(kind: str, **config: Any) -> bytes:
    return classifier(layer(kind, "evil", **{"filters": 4, "kernel_size": 3, "padding": "same", **config}))


def flipped(place: int, mask: int) -> bytes:
    """A good file with one byte changed: what `benchmarks.fuzz` found."""
    content = bytearray(hdf5(training={"loss": "mse", "optimizer_config": COMPILED["optimizer"]}))
    content[place] ^= mask
    return bytes(content)


CASES: Final[tuple[Case, ...]] = (
    Case("strides of 2^31", made(lambda: _window("Conv2D", strides=2**31)), UNBUILT),
    Case("strides of 2^31 - 1", made(lambda: _window("Conv2D", strides=2**31 - 1)), UNBUILT),
    Case("strides of 2^16", made(lambda: _window("Conv2D", strides=2**16)), UNBUILT),
    Case("transposed strides of 2^20", made(lambda: _window("Conv2DTranspose", strides=2**20)), UNBUILT),
    Case("transposed strides of 2^12", made(lambda: _window("Conv2DTranspose", strides=2**12)), UNBUILT),
    Case("dilation of 2^30", made(lambda: _window("Conv2D", dilation_rate=2**30)), UNBUILT),
    Case("strides of 0", made(lambda: _window("Conv2D", strides=0)), UNBUILT),
    Case("negative kernel", made(lambda: _window("Conv2D", kernel_size=-3)), UNBUILT),
    Case("cropping more than there is", made(lambda: classifier(layer("Cropping2D", "evil", cropping=5))), UNBUILT),
    Case("permutation of axes that are not there", made(lambda: classifier(layer("Permute", "evil", dims=[9, 1, 2]))), UNBUILT),
    Case("reshape to minus one, twice", made(lambda: classifier(layer("Reshape", "evil", target_shape=[-1, -1]))), UNBUILT),
    Case("groups that do not divide", made(lambda: _window("Conv2D", groups=7)), UNBUILT),
    Case("byte that ends libhdf5", made(lambda: flipped(857, 0xFF)), Refused("reading-crash")),
    Case("byte that hangs libhdf5", made(lambda: flipped(985, 0x01)), Refused("reading-timeout")),
    Case("many times the groups", made(lambda: _window("Conv2D", groups=2**31 - 1)), UNBUILT),
)  # fmt: skip

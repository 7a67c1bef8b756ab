"""Files that want more memory or disk than they bring: giant layers, declared sizes, things that unpack."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from typing import Any, Final

import h5py
import numpy as np

from tests.hostile.case import Case, Refused, Served, Static, made
from tests.hostile.cases.code import CONV, HEAD, IMAGE, UNBUILT, classifier
from tests.hostile.files import (
    DENSE,
    INPUT,
    Json,
    archive,
    called,
    changed,
    entered,
    graph,
    hdf5,
    inputs,
    layer,
    model,
    no_weights,
    sequential,
    tensor,
    weights,
)

TOO_MANY: Final = Refused("too-many-objects")
TOO_LARGE: Final = Refused("model-too-large")


def _dense(units: Any) -> bytes:
    return model(IMAGE, HEAD[0], layer("Dense", "evil", units=units), HEAD[1])


def _doubling(times: int) -> bytes:
    """A map that is put next to itself, again and again."""
    members: list[Json] = [entered(IMAGE)]
    for number in range(times):
        ref = tensor(members[-1]["name"], shape=(None, 8, 8, 3 * 2**number))
        members.append(called(layer("Concatenate", f"evil{number}", axis=-1), [ref, ref]))
    last = tensor(members[-1]["name"], shape=(None, 8, 8, 3 * 2**times))
    members += [called(HEAD[0], last), called(HEAD[1], tensor("f", shape=(None, None)))]
    return archive(graph(*members), no_weights())


def _growing(times: int) -> bytes:
    return classifier(*(layer("UpSampling2D", f"evil{number}", size=[256, 256]) for number in range(times)))


def _declared(count: int, elements: int) -> bytes:
    """Arrays that are declared, chunk by chunk, and never written."""

    def fill(file: h5py.File) -> None:
        for number in range(count):
            file.create_dataset(f"layers/huge/vars/{number}", (elements,), "float32", chunks=(2**20,))

    return archive(stored=weights(fill))


def _packed_zeros(chunks: int) -> bytes:
    """gzip inside HDF5: chunks of 32 MiB, almost all zeros, that take 40 kB each."""
    size = 2**23
    packed = zlib.compress(np.random.default_rng(0).bytes(2**13) + bytes(4 * size - 2**13), 9)

    def fill(file: h5py.File) -> None:
        data = file.create_dataset(
            "layers/huge/vars/0", (chunks * size,), "float32", chunks=(size,), compression="gzip"
        )
        for number in range(chunks):
            data.id.write_direct_chunk((number * size,), packed)

    return archive(stored=weights(fill))


def _repeated_text(entries: int, length: int) -> bytes:
    """A list of names that are all one long string: every reference is bent to the first one's heap object."""

    def fill(file: h5py.File) -> None:
        names = [b"n" * length] + [f"{number:08}".encode() for number in range(entries - 1)]
        del file["model_weights"].attrs["layer_names"]
        file["model_weights"].attrs.create("layer_names", names, dtype=h5py.string_dtype("ascii"))

    content = hdf5(fill=fill)
    first = re.search(struct.pack("<I", length) + b".{8}\x01\x00\x00\x00", content, re.DOTALL)
    assert first is not None
    small = re.compile(struct.pack("<I", 8) + rb"(?=.{8}.{3}\x00)", re.DOTALL)
    bent, position = bytearray(content), first.start() + 16
    for _ in range(entries - 1):
        assert small.match(bent, position)
        bent[position : position + 16] = first.group()
        position += 16
    return bytes(bent)


def _long_entries(file: h5py.File) -> None:
    del file["model_weights"].attrs["layer_names"]
    file["model_weights"].attrs["layer_names"] = np.zeros(300, "S60000")


def _deflated(**members: int) -> bytes:
    """A good archive with members of zeros that take a thousandth of their size."""
    content = {name.replace("__", "/"): bytes(size) for name, size in members.items()}
    return archive(members=content, compression=zipfile.ZIP_DEFLATED)


def _padded_config() -> bytes:
    return archive('{"class_name": "Sequential"' + " " * 15_000_000 + "}", compression=zipfile.ZIP_DEFLATED)


def _members(count: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("config.json", "{}")
        for number in range(count):
            file.writestr(f"assets/{number}", b"")
    return buffer.getvalue()


def _lying_size() -> bytes:
    """The directory says that the weights are a hundred bytes; the member unpacks to more."""
    content = bytearray(archive(compression=zipfile.ZIP_DEFLATED))
    entry = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, entry + 24, 100)
    return bytes(content)


def _numpy_header() -> bytes:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 60_000 + b",), }\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("w.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header)
    return buffer.getvalue()


CASES: Final[tuple[Case, ...]] = (
    Case("Dense of two thousand million units", made(lambda: _dense(2**31 - 1)), UNBUILT),
    Case("Dense that fits one tensor and no memory", made(lambda: _dense(2**27)), TOO_LARGE),
    Case("Dense beyond 32 bits", made(lambda: _dense(2**40)), UNBUILT),
    Case("Dense beyond 64 bits", made(lambda: _dense(2**70)), Refused("invalid-config")),
    Case("Dense of a fraction", made(lambda: _dense(2.5)), UNBUILT),
    Case("giant Embedding", made(lambda: model(inputs(8, dtype="int32"), layer(
        "Embedding", "evil", input_dim=2**31 - 1, output_dim=2**31 - 1))), Static("")),
    Case("giant convolution", made(lambda: classifier(changed(CONV, filters=2**31 - 1))), UNBUILT),
    Case("many filters and a large kernel", made(lambda: classifier(changed(CONV, filters=2**20, kernel_size=[64, 64]))), UNBUILT),
    Case("doubling by concatenation", made(lambda: _doubling(40)), Static("evil")),
    Case("upsampling twice", made(lambda: _growing(2)), Static("evil")),
    Case("padding", made(lambda: classifier(layer("ZeroPadding2D", "evil", padding=[[2**16, 2**16], [2**16, 2**16]]))), UNBUILT),
    Case("repetition", made(lambda: model(IMAGE, layer("Flatten", "g"), layer("RepeatVector", "r", n=2**16), layer(
        "UpSampling1D", "evil", size=2**16), *HEAD)), UNBUILT),
    Case("resizing to a giant image", made(lambda: classifier(layer("Resizing", "evil", height=2**16, width=2**16))), UNBUILT),
    Case("giant image", made(lambda: model(inputs(2**20, 2**20, 3), *HEAD)), Static("elements")),
    Case("giant batch", made(lambda: archive(sequential(changed(INPUT, batch_shape=[2**30, 3]), DENSE))), Served()),
    Case("arrays that are declared and not there", made(lambda: _declared(4, 2**30)), Refused("corrupt-file")),
    Case("arrays under the ratio and over the sum", made(lambda: _packed_zeros(10)), TOO_MANY),
    Case("arrays of zeros within both", made(lambda: _packed_zeros(2)), Served()),
    Case("one string that a list of names repeats", made(lambda: _repeated_text(3000, 400_000)), Refused("reading-memory")),
    Case("list of long names", made(lambda: hdf5(fill=_long_entries, libver="latest")), TOO_MANY),
    Case("config of spaces", made(_padded_config), TOO_MANY),
    Case("assets of zeros", made(lambda: _deflated(assets__a=100_000_000)), TOO_MANY),
    Case("weights of zeros", made(lambda: archive(stored=bytes(10_000_000), compression=zipfile.ZIP_DEFLATED)), TOO_MANY),
    Case("size that the directory hides", made(_lying_size), Refused("corrupt-file")),
    Case("sixty thousand members", made(lambda: _members(60_000)), TOO_MANY),
    Case("NumPy header", made(_numpy_header), Refused("not-a-model")),
)  # fmt: skip

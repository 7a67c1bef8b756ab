"""Files that are one thing to one program and another to the next."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from typing import Final

from tests.hostile.case import Case, Refused, Served, made
from tests.hostile.cases.outside import UNSAFE
from tests.hostile.files import METADATA, archive, hdf5, sequential, weights


def _doubled() -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as file:
        warnings.simplefilter("ignore")
        file.writestr("metadata.json", json.dumps(METADATA))
        for config in ("{}", json.dumps(sequential())):
            file.writestr("config.json", config)
        file.writestr("model.weights.h5", weights())
    return buffer.getvalue()


def _renamed_locally(name: bytes) -> bytes:
    """A member whose own header names it otherwise than the directory does."""
    content = archive()
    place = content.index(name)
    return content[:place] + name.upper() + content[place + len(name) :]


def _overlapping() -> bytes:
    """The directory has a second member lie inside the first."""
    content = bytearray(archive(members={"assets/a": b"a" * 50}))
    entry = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, entry + 42, 10)
    return bytes(content)


def _method(number: int) -> bytes:
    content = bytearray(archive())
    entry = content.rindex(b"PK\x01\x02")
    struct.pack_into("<H", content, entry + 10, number)
    return bytes(content)


def _encrypted() -> bytes:
    content = bytearray(archive())
    entry = content.rindex(b"PK\x01\x02")
    struct.pack_into("<H", content, entry + 8, 1)
    return bytes(content)


def _commented() -> bytes:
    buffer = io.BytesIO(archive())
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = b"<script>alert(1)</script>"
    return buffer.getvalue()


CASES: Final[tuple[Case, ...]] = (
    Case("HDF5 with a zip behind it", made(lambda: hdf5() + archive()), UNSAFE),
    Case("HDF5 with rubbish behind it", made(lambda: hdf5() + b"rubbish"), UNSAFE),
    Case("zip with an HDF5 behind it", made(lambda: archive() + hdf5()), UNSAFE),
    Case("zip with rubbish behind it", made(lambda: archive() + b"rubbish"), UNSAFE),
    Case("two zips", made(lambda: archive() + archive()), UNSAFE),
    Case("zip with rubbish before it", made(lambda: b"PK\x03\x04rubbish" + archive()), UNSAFE),
    Case("zip with a comment", made(_commented), UNSAFE),
    Case("web page before a zip", made(lambda: b"<!doctype html><script>alert(1)</script>" + archive()), Refused("html-page")),
    Case("HDF5 with a user block", made(lambda: hdf5(userblock_size=512)), Refused("not-a-model")),
    Case("weights with a user block", made(lambda: archive(stored=weights(userblock_size=512))), Refused("corrupt-file")),
    Case("weights that are a zip", made(lambda: archive(stored=archive())), Refused("corrupt-file")),
    Case("two members of one name", made(_doubled), UNSAFE),
    Case("members that differ in case", made(lambda: archive(members={"Config.json": b"{}"})), UNSAFE),
    Case("doubled keys", made(lambda: archive('{"class_name": "A", "class_name": "Sequential"}')), Refused("invalid-config")),
    Case("config under another name in its own header", made(lambda: _renamed_locally(b"config.json")), Refused("corrupt-file")),
    Case("weights under another name in their own header", made(lambda: _renamed_locally(b"model.weights.h5")), UNSAFE),
    Case("overlapping members", made(_overlapping), UNSAFE),
    Case("bzip2", made(lambda: _method(12)), UNSAFE),
    Case("method that nobody knows", made(lambda: _method(77)), UNSAFE),
    Case("encrypted", made(_encrypted), UNSAFE),
    Case("HDF5 of the newest layout", made(lambda: hdf5(libver="latest")), Served()),
)  # fmt: skip

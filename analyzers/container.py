"""Which container a file is, told by its first bytes alone, and what else it may be.

The web process asks it before it keeps an upload, the reader before it opens a file.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from analyzers.errors import InputError

HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC: Final = b"PK\x03\x04"

HEAD_BYTES: Final = 4096
"""Bytes that are looked at."""

_PREFIXES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"version https://git-lfs.github.com/", "git-lfs-pointer"),
    (b"\x80\x02", "pickle-file"),
    (b"\x80\x03", "pickle-file"),
    (b"\x80\x04", "pickle-file"),
    (b"\x80\x05", "pickle-file"),
)
"""Leading bytes -> error code.  A legacy PyTorch file is a pickle whose magic number says so."""

_PYTORCH_PICKLE: Final = bytes.fromhex("6cfc9c46f9206aa85019")
"""PyTorch's magic number 0x1950a86a20f9469cfc6c as the pickle's first long (torch/serialization.py)."""

_TEXT_MARKS: Final[tuple[tuple[re.Pattern[bytes], str], ...]] = (
    (re.compile(rb"\s*(<!doctype html|<html|<head|<!--)", re.IGNORECASE), "html-page"),
    (re.compile(rb'\s*\{.{0,200}"(class_name|config|keras_version|modelTopology)"', re.DOTALL), "architecture-only"),
)  # fmt: skip

_ONNX: Final = re.compile(rb"\x08[\x01-\x14](\x12|\x1a|\x3a|\x42)")
"""ONNX ModelProto: field 1 (ir_version) as a small varint, then producer, version, graph or opset."""


def of(head: bytes) -> Literal["hdf5", "zip"]:
    """The container of a file.

    Args:
        head: its first `HEAD_BYTES` bytes, or all of a shorter one.

    Raises:
        InputError: the file is empty or something else, with the code of what it looks like.
    """
    if not head:
        raise InputError("empty-file")
    if head.startswith(HDF5_MAGIC):
        return "hdf5"
    if head.startswith(ZIP_MAGIC):
        return "zip"
    if HDF5_MAGIC.startswith(head) or ZIP_MAGIC.startswith(head):
        raise InputError("truncated-file", f"the file has {len(head)} bytes")
    raise InputError(_foreign(head))


def _foreign(head: bytes) -> str:
    """The error code for a file that is neither HDF5 nor a zip."""
    for prefix, code in _PREFIXES:
        if head.startswith(prefix):
            return "pytorch-file" if _PYTORCH_PICKLE in head[:64] else code
    if head[4:8] == b"TFL3":
        return "tflite-file"
    for pattern, code in _TEXT_MARKS:
        if pattern.match(head):
            return code
    if _ONNX.match(head):
        return "onnx-file"
    return "not-a-model"

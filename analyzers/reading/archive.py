"""The ``.keras`` zip: its members are judged before any is opened; big ones are never held in memory."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import BinaryIO, Final

from analyzers.bounds import MAX_ASSETS, MAX_DIRECTORY, MAX_MEMBERS, MAX_RATIO, MAX_TEXT, unpacked_bytes
from analyzers.errors import InputError
from analyzers.reading.plain import shown

CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"
WEIGHTS: Final = "model.weights.h5"

_SLICE: Final = 2**20
_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")
_END: Final = struct.Struct("<4s4H2LH")
_END64_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_ASSETS: Final = "assets/"
_FOREIGN: Final[tuple[tuple[str, str], ...]] = (
    (r"(.*/)?data\.pkl$", "pytorch-file"),
    (r"(.*/)?constants\.pkl$", "pytorch-file"),
    (r"(.*/)?saved_model\.pb(txt)?$", "savedmodel-file"),
    (r".*\.tflite$", "tflite-file"),
    (r".*\.onnx$", "onnx-file"),
)
"""Member name pattern -> what a zip without a Keras config is instead."""


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, its directory checked.

    Raises:
        InputError: it is cut off, damaged, no Keras archive, or built to mislead.
    """
    _check_end(path)
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise InputError("truncated-file", "the zip's directory is missing") from None
    except (OSError, ValueError, struct.error, UnicodeDecodeError, NotImplementedError):
        raise InputError("corrupt-file", "the zip's directory cannot be read") from None
    with archive:
        _check_directory(archive, path.stat().st_size)
        names = set(archive.namelist())
        if CONFIG not in names:
            raise InputError(_foreign(names))
        yield archive


def _foreign(names: set[str]) -> str:
    for pattern, code in _FOREIGN:
        if any(re.match(pattern, name) for name in names):
            return code
    return "weights-only" if any(name.endswith(WEIGHTS) for name in names) else "not-a-model"


def _check_end(path: Path) -> None:
    """Refuse a zip whose last bytes are not its own end, before its directory is read.

    A prefix, a comment or trailing bytes let a file be a zip and something else as well.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = max(0, size - _END.size - _END64_LOCATOR.size - _END64.size)
        file.seek(start)
        tail = file.read()
    if len(tail) < _END.size or not tail.startswith(b"PK\x05\x06", len(tail) - _END.size):
        place = (last := _last(path, size)).rfind(b"PK\x05\x06")
        cut_off = place < 0 or place + _END.size > len(last)
        raise InputError(
            "truncated-file" if cut_off else "unsafe-file", "the zip does not end with its directory"
        )
    _, _, _, _, members, length, offset, comment = _END.unpack(tail[-_END.size :])
    end = size - _END.size
    locator = tail[-_END.size - _END64_LOCATOR.size : -_END.size]
    if locator.startswith(b"PK\x06\x07"):
        end -= _END64_LOCATOR.size + _END64.size
        record = tail[end - start : end - start + _END64.size]
        if end < 0 or not record.startswith(b"PK\x06\x06"):
            raise InputError("corrupt-file", "the zip's directory cannot be read")
        members, length, offset = _END64.unpack(record)[7:]
    if members > MAX_MEMBERS + MAX_ASSETS or length > MAX_DIRECTORY:
        raise InputError("too-many-objects", f"the zip has {members} members")
    if comment or offset + length != end:
        raise InputError("unsafe-file", "the zip has bytes before its first member or behind its directory")


def _last(path: Path, size: int) -> bytes:
    """The bytes in which a zip's end may lie: its longest comment and the record before it."""
    with path.open("rb") as file:
        file.seek(max(0, size - _END.size - 2**16))
        return file.read()


def _check_directory(archive: zipfile.ZipFile, size: int) -> None:
    members = archive.infolist()
    if sum(not member.filename.startswith(_ASSETS) for member in members) > MAX_MEMBERS:
        raise InputError("too-many-objects", f"the zip has more than {MAX_MEMBERS} members")
    if len({member.filename.casefold() for member in members}) != len(members):
        raise InputError("unsafe-file", "the zip has two members of one name")
    if sum(member.file_size for member in members) > (most := unpacked_bytes(size)):
        raise InputError("too-many-objects", f"the zip declares more than {most} bytes")
    for member in members:
        _check_member(member, size)
    _check_places(members, archive.start_dir)


def _check_places(members: Sequence[zipfile.ZipInfo], directory: int) -> None:
    """Refuse members that overlap, or bytes in front of the first."""
    places = sorted(members, key=lambda member: member.header_offset)
    if places and places[0].header_offset != 0:
        raise InputError("unsafe-file", "the zip has bytes before its first member")
    ends = [member.header_offset for member in places[1:]] + [directory]
    for member, end in zip(places, ends, strict=True):
        least = _LOCAL_HEADER.size + len(member.orig_filename.encode("utf-8")) + member.compress_size
        if member.header_offset + least > end:
            raise InputError("unsafe-file", f"zip member {shown(member.filename)} overlaps another")


def _check_member(member: zipfile.ZipInfo, size: int) -> None:
    name = member.filename
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or "\0" in member.orig_filename
        or ":" in name
    ):
        raise InputError("unsafe-file", f"the zip has a member named {shown(name)}")
    if stat.S_ISLNK(member.external_attr >> 16) or member.flag_bits & 0x1:
        raise InputError("unsafe-file", f"zip member {shown(name)} is a link or encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError("unsafe-file", f"zip member {shown(name)} uses a compression that Keras does not")
    if member.file_size > MAX_RATIO * max(member.compress_size, 1):
        raise InputError("too-many-objects", f"zip member {shown(name)} expands more than {MAX_RATIO} times")
    if member.header_offset + member.compress_size > size:
        raise InputError("truncated-file", f"zip member {shown(name)} ends beyond the file")


def document(archive: zipfile.ZipFile, name: str) -> bytes:
    """A small member, whole.

    Raises:
        InputError: it is too long, damaged or missing.
    """
    try:
        member = archive.getinfo(name)
        if member.file_size > MAX_TEXT:
            raise InputError("too-many-objects", f"{name} is longer than {MAX_TEXT} bytes")
        return archive.read(member)
    except KeyError:
        raise InputError("corrupt-file", f"the zip has no {name}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError):
        raise InputError("corrupt-file", f"{name} cannot be unpacked") from None


@contextmanager
def located(archive: zipfile.ZipFile, path: Path, name: str) -> Iterator[tuple[BinaryIO, int, int]]:
    """A big member as (file, start, size): in place where it is stored, else unpacked to a nameless file.

    Raises:
        InputError: it is damaged or missing.
    """
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise InputError("corrupt-file", f"the zip has no {name}") from None
    if member.compress_type == zipfile.ZIP_STORED:
        with path.open("rb") as file:
            start = _data_start(file, member)
            _check_sum(file, start, member)
            yield file, start, member.file_size
        return
    with TemporaryFile() as unpacked:
        try:
            with archive.open(member) as packed:
                while piece := packed.read(_SLICE):
                    unpacked.write(piece)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
            raise InputError("corrupt-file", f"{name} cannot be unpacked") from None
        unpacked.flush()
        yield unpacked, 0, member.file_size


def _check_sum(file: BinaryIO, start: int, member: zipfile.ZipInfo) -> None:
    file.seek(start)
    left, found = member.file_size, 0
    while left and (piece := file.read(min(left, _SLICE))):
        left -= len(piece)
        found = zlib.crc32(piece, found)
    if left or found != member.CRC:
        raise InputError("corrupt-file", f"the checksum of {shown(member.filename)} is wrong")


def _data_start(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """Where a stored member's bytes begin: behind its local header, which may differ in length."""
    file.seek(member.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size:
        raise InputError("truncated-file", "a zip member's header is cut off")
    magic, *lengths = _LOCAL_HEADER.unpack(header)
    name_length, extra_length = int(lengths[0]), int(lengths[1])
    name = file.read(name_length)
    if magic != b"PK\x03\x04" or name != member.orig_filename.encode("utf-8"):
        raise InputError("unsafe-file", "the zip's directory and its members disagree")
    return member.header_offset + _LOCAL_HEADER.size + name_length + extra_length

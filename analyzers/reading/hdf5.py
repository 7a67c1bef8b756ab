"""HDF5 from a stranger: the tree is walked and judged once, before anything in it is used.

Only hard links are followed, each object once; datasets must be plain numeric arrays whose bytes lie
in the file itself.  Contiguous arrays, which is how Keras writes them, are then read through a memory
map of the file; HDF5 decodes only the chunked ones.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, NamedTuple

import h5py
import ml_dtypes
import numpy as np

from analyzers.bounds import MAX_CHUNK_RATIO, MAX_DEPTH, MAX_OBJECTS, MAX_TEXT, unpacked_bytes
from analyzers.errors import InputError
from analyzers.reading.plain import shown, whole
from analyzers.spec.weights import Array

_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCKS: Final = {0: (13, 24), 1: (13, 28), 2: (9, 12), 3: (9, 12)}
"""Superblock version -> where its size of offsets and its addresses are (HDF5 file format, II)."""

_FILTERS: Final = frozenset(
    {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, 32000}
)
"""gzip, shuffle, fletcher32 and lzf (32000)."""

_BFLOAT16: Final[np.dtype[Any]] = np.dtype(ml_dtypes.bfloat16)
_KINDS: Final = {"f": (2, 4, 8), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "b": (1,)}
"""NumPy dtype kind -> allowed item sizes."""


class Window:
    """A read-only, seekable view of ``size`` bytes of a file from ``start`` on, as h5py wants it."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._fd = file.fileno()
        self._start = start
        self._size = size
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to ``offset`` from the start, the position or the end."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:
        """Fill ``buffer`` as far as the window reaches."""
        wanted = min(len(buffer), max(0, self._size - self._position))
        count = os.preadv(self._fd, (buffer[:wanted],), self._start + self._position)
        self._position += count
        return count

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes."""
        left = max(0, self._size - self._position)
        data = os.pread(self._fd, left if size < 0 else min(size, left), self._start + self._position)
        self._position += len(data)
        return data


@dataclass(frozen=True)
class Dataset:
    """One numeric array of the file.

    Attributes:
        path: its name in the file.
        shape: its shape.
        dtype: its dtype.
        offset: its place in the window when it is contiguous, else None.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int | None

    @property
    def nbytes(self) -> int:
        """Declared bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


class Tree:
    """The checked content of an HDF5 file.

    Attributes:
        datasets: path without leading slash -> array, in the file's order.
        groups: path of every group -> its name in the file; the root is ``""``.

    Paths have a slash where Keras on Windows wrote a backslash.
    """

    def __init__(self, handle: h5py.File, mapped: Callable[[int, int], memoryview], size: int) -> None:
        self._handle = handle
        self._mapped = mapped
        self._size = size
        self.datasets: dict[str, Dataset] = {}
        self.groups: dict[str, str] = {"": "/"}
        self._walk()

    def _walk(self) -> None:
        seen: set[int] = set()
        declared = count = 0
        most = unpacked_bytes(self._size)
        stack: list[tuple[str, Any, int]] = [("", self._handle.id, 0)]
        while stack:
            path, group, depth = stack.pop()
            if depth > MAX_DEPTH:
                raise InputError("too-many-objects", f"HDF5 groups nested deeper than {MAX_DEPTH}")
            for link in _links(group, MAX_OBJECTS - count):
                count += 1
                child, member = _open_hard(group, link, path)
                address = link.address
                if address in seen:
                    raise InputError("unsafe-file", f"HDF5 object {shown(child)} is linked twice")
                seen.add(address)
                path_today = child.replace("\\", "/")
                if isinstance(member, h5py.h5g.GroupID):
                    self.groups[path_today] = child
                    stack.append((child, member, depth + 1))
                elif isinstance(member, h5py.h5d.DatasetID):
                    array = self.datasets[path_today] = self._checked(child, member)
                    declared += array.nbytes
                    if declared > most:
                        raise InputError("too-many-objects", f"arrays of more than {most} bytes")
                else:
                    raise InputError("unsafe-file", f"HDF5 object {shown(child)} is neither group nor array")

    def _checked(self, path: str, dataset: Any) -> Dataset:
        """The array behind an HDF5 dataset, refused unless it is plain and its bytes are in the file."""
        offset = dataset.get_offset()
        if offset is None:  # else it lies in one piece in the file itself, which leaves nothing to look for
            _check_layout(dataset.get_create_plist(), path)
        space = dataset.get_space()
        if space.get_simple_extent_type() not in (h5py.h5s.SIMPLE, h5py.h5s.SCALAR):
            raise InputError("unsafe-file", f"array {shown(path)} has no shape")
        dtype = _dtype(dataset.get_type(), path)
        shape = tuple(int(n) for n in space.get_simple_extent_dims())
        found = Dataset(path, shape, dtype, offset)
        stored = dataset.get_storage_size()
        whole_there = offset is None or stored >= found.nbytes
        if found.nbytes > MAX_CHUNK_RATIO * max(stored, 1) or not whole_there:
            raise InputError("corrupt-file", f"array {shown(path)} declares more than it stores")
        if found.offset is not None and found.nbytes and found.offset + found.nbytes > self._size:
            raise InputError("truncated-file", f"array {shown(path)} ends beyond the file")
        return found

    def read(self, path: str) -> Array:
        """The values of one array; a contiguous one is a read-only view of the file.

        Raises:
            KeyError: there is no such array.
        """
        dataset = self.datasets[path]
        if dataset.offset is not None and dataset.nbytes:
            view = self._mapped(dataset.offset, dataset.nbytes)
            return np.frombuffer(view, dataset.dtype).reshape(dataset.shape)
        with _damage(f"array {shown(path)} cannot be decoded"):
            values: Array = np.asarray(self._handle[dataset.path][()])
        return values.view(dataset.dtype).reshape(dataset.shape) if values.dtype.kind == "V" else values

    def text(self, group: str, name: str) -> str | None:
        """A string attribute of a group, None where it is missing.

        Raises:
            InputError: ``invalid-config`` when it is no string, ``too-many-objects`` when it is too long.
        """
        if not self._has(group, name):
            return None
        value = self._attribute(group, name)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str):
            raise InputError("invalid-config", f"attribute {shown(name)} is not a string")
        if len(value) > MAX_TEXT:
            raise InputError("too-many-objects", f"attribute {shown(name)} is longer than {MAX_TEXT} bytes")
        return value

    def names(self, group: str, name: str) -> list[str]:
        """A list-of-strings attribute, also where Keras split it into ``name0``, ``name1`` ..."""
        if self._has(group, name):
            return _strings(self._attribute(group, name))
        found: list[str] = []
        chunk = 0
        while self._has(group, f"{name}{chunk}"):
            found += _strings(self._attribute(group, f"{name}{chunk}"))
            chunk += 1
            if len(found) > MAX_OBJECTS or chunk > MAX_OBJECTS:
                raise InputError("too-many-objects", f"attribute {shown(name)} has too many entries")
        return found

    def _has(self, group: str, name: str) -> bool:
        with _damage(f"the attributes of {shown(group)} cannot be read"):
            return name in self._handle[self.groups[group]].attrs

    def _attribute(self, group: str, name: str) -> Any:
        with _damage(f"attribute {shown(name)} cannot be read"):
            attributes = self._handle[self.groups[group]].attrs
            attribute = attributes.get_id(name)
            entries = math.prod(attribute.shape or (1,))
            if entries > MAX_OBJECTS or entries * attribute.get_type().get_size() > MAX_TEXT:
                raise InputError("too-many-objects", f"attribute {shown(name)} has too many entries")
            return attributes[name]


_LAYOUTS: Final = frozenset({h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED, h5py.h5d.COMPACT})


def _check_layout(plist: Any, path: str) -> None:
    """Refuse an array that is stored outside the file, or packed by what Keras does not use."""
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    if plist.get_external_count() or plist.get_layout() not in _LAYOUTS or filters - _FILTERS:
        raise InputError("unsafe-file", f"array {shown(path)} is stored outside the file or in a foreign way")


class _Link(NamedTuple):
    """A member of a group: its name, the kind of link, and where a hard one leads."""

    name: bytes
    kind: int
    address: int


def _links(group: Any, most: int) -> list[_Link]:
    """Every member of a group, by name.

    Raises:
        InputError: ``too-many-objects`` where there are more than ``most``.
    """
    found: list[_Link] = []

    def note(name: bytes, info: Any) -> bool | None:
        found.append(_Link(name, int(info.type), int(info.u)))  # h5py uses one ``info`` for all of them
        return True if len(found) > most else None

    group.links.iterate(note, info=True)
    if len(found) > most:
        raise InputError("too-many-objects", f"more than {MAX_OBJECTS} HDF5 objects")
    return found


def _open_hard(group: Any, link: _Link, parent: str) -> tuple[str, Any]:
    """Path and identifier of a member that is hard-linked."""
    text = link.name.decode("utf-8", "replace")
    child = f"{parent}/{text}" if parent else text
    if link.kind != h5py.h5l.TYPE_HARD:
        raise InputError("unsafe-file", f"HDF5 link {shown(child)} is not a hard link")
    return child, h5py.h5o.open(group, link.name)


def _dtype(kind: Any, path: str) -> np.dtype[Any]:
    if kind.get_class() == h5py.h5t.OPAQUE and kind.get_size() == 2:
        return _BFLOAT16
    if kind.get_class() not in (h5py.h5t.FLOAT, h5py.h5t.INTEGER, h5py.h5t.ENUM):
        raise InputError("unsafe-file", f"array {shown(path)} does not hold numbers")
    dtype: np.dtype[Any] = np.dtype(kind.dtype)
    if dtype.itemsize not in _KINDS.get(dtype.kind, ()):
        raise InputError("unsafe-file", f"array {shown(path)} does not hold numbers")
    return dtype


def _strings(value: Any) -> list[str]:
    items = np.asarray(value).reshape(-1).tolist()
    return [
        item.decode("utf-8", "replace") if isinstance(item, bytes) else whole(str(item)) for item in items
    ]


class _Mapped:
    """Views of a file's bytes; pages of earlier views leave memory again, and come back when used."""

    _KEPT = 64 * 2**20

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._view = memoryview(self._map)
        self._start = start
        self._viewed = 0

    def __call__(self, offset: int, length: int) -> memoryview:
        if self._viewed > self._KEPT:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._viewed = 0
        self._viewed += length
        return self._view[self._start + offset : self._start + offset + length]


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Turn what HDF5 says about a damaged file into our error, and about memory into Python's."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as error:
        if "allocat" in str(error):
            raise MemoryError from None
        raise InputError("corrupt-file", what) from None


def _check_ends(window: Window, size: int) -> None:
    """Refuse what is put before or behind an HDF5 file: it would be something else to another program."""
    head = window.read(64)
    window.seek(0)
    version = head[8] if len(head) == 64 else -1
    if not head.startswith(_SIGNATURE) or version not in _SUPERBLOCKS:
        raise InputError("corrupt-file", "the HDF5 header cannot be read")
    width_at, addresses_at = _SUPERBLOCKS[version]
    base, _, end = struct.unpack_from("<QQQ", head, addresses_at)
    if head[width_at] != 8 or base != 0:
        raise InputError("corrupt-file", "the HDF5 header cannot be read")
    if end > size:
        raise InputError("truncated-file", f"the HDF5 content should have {end} bytes and has {size}")
    if end < size:
        raise InputError("unsafe-file", f"there are {size - end} bytes behind the end of the HDF5 content")


@contextmanager
def opened(file: BinaryIO, start: int, size: int) -> Iterator[Tree]:
    """The HDF5 file that lies in ``size`` bytes of ``file`` from ``start`` on.

    Arrays that were read stay readable after the block.

    Raises:
        InputError: it is damaged, cut off, or holds what no Keras version writes.
    """
    window = Window(file, start, size)
    _check_ends(window, size)
    mapped = _Mapped(file, start)
    with _damage("the HDF5 content cannot be opened"):
        handle = h5py.File(window, "r")
    with handle:
        with _damage("the HDF5 structure cannot be followed"):
            tree = Tree(handle, mapped, size)
        yield tree

"""Room for files that are being received: what one upload is promised, no other is."""

from __future__ import annotations

import threading
from types import TracebackType

from app.store.files import storage_full


class Room:
    """What uploads that this process receives have been promised together, in bytes."""

    def __init__(self) -> None:
        self._promised = 0
        self._lock = threading.Lock()

    def promise(self, size_bytes: int) -> int:
        """Promise more, or less where it is negative; what is promised now."""
        with self._lock:
            self._promised += size_bytes
            return self._promised


class Reservation:
    """The room of one upload, until the end of a ``with`` block.

    Args:
        room: which it is a part of.
        free_bytes: what all uploads may take together; None for no bound.
        size_bytes: what this one says that it will take.

    Raises:
        Problem: ``storage-full``.
    """

    def __init__(self, room: Room, free_bytes: int | None, size_bytes: int) -> None:
        self._room = room
        self._free_bytes = free_bytes
        self._size_bytes = 0
        self.cover(size_bytes)

    def cover(self, size_bytes: int) -> None:
        """Reserve as much as this where it is more than before: an upload need not say how large it is.

        Raises:
            Problem: ``storage-full``; then nothing is reserved any more.
        """
        more = size_bytes - self._size_bytes
        if more <= 0:
            return
        self._size_bytes = size_bytes
        promised = self._room.promise(more)
        if self._free_bytes is not None and promised > self._free_bytes:
            self._give_back()
            raise storage_full()

    def _give_back(self) -> None:
        self._room.promise(-self._size_bytes)
        self._size_bytes = 0

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

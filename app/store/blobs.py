"""Files by their SHA-256: received into a local folder, kept there or wherever another class keeps them.

A file is received under a random name in ``incoming/`` and moved into place by one rename, so what
lies under a hash is always whole.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

_CHUNK = 2**20


class BlobsAwayError(Exception):
    """What keeps the files does not answer, or not as it should; trying again later may help."""


class Incoming:
    """A file that is being received: written and hashed as it comes, discarded unless it is kept.

    Attributes:
        path: where it lies until it is kept.
        size_bytes: of what was written so far.
        there: a file of this hash is kept already, and whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self.there = False
        self._hash = hashlib.sha256()
        self._file = path.open("xb", buffering=0)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append ``data``."""
        self._file.write(data)
        self._hash.update(data)
        self.size_bytes += len(data)

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        os.fsync(self._file.fileno())

    @property
    def sha256(self) -> str:
        """Hash of what was written so far."""
        return self._hash.hexdigest()

    def __enter__(self) -> Incoming:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


class Blobs(ABC):
    """Received files, and those that are kept.

    Args:
        incoming: a local folder for those that are being received; made if it is missing.
    """

    def __init__(self, incoming: Path) -> None:
        self.receiving = incoming
        self.receiving.mkdir(parents=True, exist_ok=True, mode=0o700)

    @abstractmethod
    def stage(self, incoming: Incoming) -> None:
        """Do what takes long of keeping a received file.  Call it before the transaction in which it is kept.

        Raises:
            BlobsAwayError: it cannot be done now.
        """

    @abstractmethod
    def keep(self, incoming: Incoming) -> None:
        """Keep a received file.  Call it inside the transaction that locks the blob's row.

        Raises:
            BlobsAwayError: it cannot be kept now.
        """

    @abstractmethod
    def remove(self, sha256: str) -> None:
        """Remove a file.  Call it inside the transaction that deletes the blob's row.

        Raises:
            BlobsAwayError: it cannot be removed now.
        """

    @abstractmethod
    def intact(self, sha256: str) -> bool:
        """Whether the file of this hash is there and still has it.

        Raises:
            BlobsAwayError: that cannot be told now.
        """

    @abstractmethod
    def older(self, older_than_s: float) -> Iterator[str]:
        """The hashes of the files that were written longer ago than this.

        Raises:
            BlobsAwayError: that cannot be told now.
        """

    @abstractmethod
    def reachable(self) -> bool:
        """Whether files could be kept and read now."""

    @abstractmethod
    def lent(self, sha256: str, folder: Path, watch: Callable[[], None]) -> AbstractContextManager[Path]:
        """A local path of a file for a ``with`` block, fetched into ``folder`` where it is not one already.

        Its hash is checked first.

        Args:
            sha256: the file.
            folder: where it may lie for the length of the block.
            watch: called again and again while it is fetched and checked; what it raises ends that and
                passes through.

        Raises:
            FileNotFoundError: there is no such file, or it does not have its hash.
            BlobsAwayError: it cannot be fetched now.
        """

    @abstractmethod
    def local(self, sha256: str) -> Path | None:
        """Where the file lies on this machine; None where files are kept elsewhere."""

    @abstractmethod
    def read(self, sha256: str) -> tuple[int, Iterator[bytes]]:
        """The size of a file in bytes, and its content chunk by chunk.

        Raises:
            FileNotFoundError: there is no such file.
            BlobsAwayError: it cannot be read now.
        """

    @property
    def free_bytes(self) -> int:
        """Room for files that are being received."""
        return shutil.disk_usage(self.receiving).free

    def incoming(self) -> Incoming:
        """A new file to receive; use it in a ``with`` block and `keep` it there."""
        return Incoming(self.receiving / secrets.token_hex(16))

    @contextmanager
    def copied(self, source: Path, limit: int) -> Iterator[Incoming]:
        """Receive a file that a child wrote.

        Raises:
            ValueError: it is no plain file, or larger than ``limit`` bytes.
        """
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file, self.incoming() as incoming:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("not a plain file")
            while chunk := file.read(_CHUNK):
                incoming.write(chunk)
                if incoming.size_bytes > limit:
                    raise ValueError("file too large")
            yield incoming

    def sweep_incoming(self, older_than_s: float) -> None:
        """Remove what was left behind by uploads that were cut off."""
        limit = time.time() - older_than_s
        for path in self.receiving.iterdir():
            if path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)


class BlobFolder(Blobs):
    """A folder of files, of this machine or of several that mount it.

    Args:
        root: made if it is missing, readable by its owner alone.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root / "incoming")
        self.root = root

    def path(self, sha256: str) -> Path:
        """Where the file of this hash lies, or would lie."""
        return self.root / sha256[:2] / sha256

    def stage(self, incoming: Incoming) -> None:
        """Look whether it is there already, else wait until what was written is on the disk."""
        incoming.there = self.intact(incoming.sha256)
        if not incoming.there:
            incoming.sync()

    def keep(self, incoming: Incoming) -> None:
        """Move it into place.

        One that is there already stays: a child that reads it may open this very file and no other.
        """
        target = self.path(incoming.sha256)
        target.parent.mkdir(exist_ok=True, mode=0o700)
        moved = not incoming.path.exists()  # by a transaction that could not be committed and is tried again
        if target.exists() and (moved or incoming.there or self.intact(incoming.sha256)):
            os.utime(target)
            return
        incoming.sync()
        incoming.path.replace(target)
        _sync_folder(target.parent)

    def remove(self, sha256: str) -> None:
        """Remove it if it is there."""
        self.path(sha256).unlink(missing_ok=True)

    def intact(self, sha256: str) -> bool:
        """Read it."""
        try:
            return hashed(self.read(sha256)[1], lambda _: None) == sha256
        except FileNotFoundError:
            return False

    def older(self, older_than_s: float) -> Iterator[str]:
        """Look at the folder."""
        limit = time.time() - older_than_s
        for path in self.root.glob("[0-9a-f][0-9a-f]/*"):
            if path.stat().st_mtime < limit:
                yield path.name

    def reachable(self) -> bool:
        """Whether this process may write in the folder."""
        return os.access(self.root, os.R_OK | os.W_OK | os.X_OK)

    @contextmanager
    def lent(self, sha256: str, folder: Path, watch: Callable[[], None]) -> Iterator[Path]:
        """The file itself."""
        path = self.path(sha256)
        if hashed(self.read(sha256)[1], lambda _: watch()) != sha256:
            raise FileNotFoundError(sha256)
        yield path

    def local(self, sha256: str) -> Path:
        """Where it lies."""
        return self.path(sha256)

    def read(self, sha256: str) -> tuple[int, Iterator[bytes]]:
        """Read it."""
        file = self.path(sha256).open("rb", buffering=0)
        return os.fstat(file.fileno()).st_size, _chunks(file)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


def hashed(chunks: Iterator[bytes], take: Callable[[bytes], object]) -> str:
    """The SHA-256 of what is handed on chunk by chunk."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        take(chunk)
    return digest.hexdigest()


def whole(chunks: Iterator[bytes], sha256: str) -> Iterator[bytes]:
    """Hand on what has this hash; of anything else the last chunk is held back.

    Raises:
        FileNotFoundError: it has another hash.
    """
    digest, held = hashlib.sha256(), b""
    for chunk in chunks:
        digest.update(chunk)
        if held:
            yield held
        held = chunk
    if digest.hexdigest() != sha256:
        raise FileNotFoundError(sha256)
    yield held


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

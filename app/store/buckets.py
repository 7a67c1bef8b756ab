"""Files by their SHA-256 in a bucket of an S3-compatible store.

A file is sent whole or not at all, so what lies under a hash is always whole; and the same hash is the same
bytes, so sending one twice does no harm.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from app.store.blobs import Blobs, BlobsAwayError, Incoming, hashed

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_CHUNK: Final = 2**20
_CONNECT: Final = timedelta(seconds=5)
_TRANSFER: Final = timedelta(hours=1)
_RETRIES: Final[RetryConfig] = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}
_CONCURRENCY: Final = 4
"""Parts of 5 MiB that are sent at once: they are all that is held in memory."""
_NOTHING: Final = "nothing"
"""A prefix that no file has: listing it asks for the bucket alone."""


@contextmanager
def _told() -> Iterator[None]:
    """Call what the store's client raises by the name that callers know."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        raise BlobsAwayError(str(error).partition("\n")[0]) from error


class BlobBucket(Blobs):
    """A bucket; its address and credentials come from the usual ``AWS_`` environment variables.

    Args:
        url: ``s3://bucket`` or ``s3://bucket/prefix``.
        incoming: a local folder for files that are being received.
    """

    def __init__(self, url: str, incoming: Path) -> None:
        super().__init__(incoming)
        client: ClientConfig = {
            "connect_timeout": _CONNECT,
            "timeout": _TRANSFER,
            "allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"),
        }
        self.objects = from_url(url, client_options=client, retry_config=_RETRIES)

    def stage(self, incoming: Incoming) -> None:
        """Send it."""
        try:
            with _told():
                obstore.put(self.objects, _name(incoming.sha256), incoming.path, max_concurrency=_CONCURRENCY)
        except FileNotFoundError as error:
            raise BlobsAwayError("there is no such bucket") from error

    def keep(self, incoming: Incoming) -> None:
        """Send it again where somebody has removed it since it was staged."""
        if not self._there(incoming.sha256):
            self.stage(incoming)

    def _there(self, sha256: str) -> bool:
        with _told():
            try:
                obstore.head(self.objects, _name(sha256))
            except FileNotFoundError:
                return False
        return True

    def remove(self, sha256: str) -> None:
        """Remove it if it is there."""
        with _told():
            obstore.delete(self.objects, _name(sha256))

    def intact(self, sha256: str) -> bool:
        """Fetch it."""
        try:
            _, chunks = self.read(sha256)
            return hashed(chunks, lambda _: None) == sha256
        except FileNotFoundError:
            return False

    def older(self, older_than_s: float) -> Iterator[str]:
        """List the bucket."""
        limit = datetime.now(UTC) - timedelta(seconds=older_than_s)
        with _told():
            for page in obstore.list(self.objects):
                for found in page:
                    if found["last_modified"] < limit:
                        yield found["path"].rpartition("/")[2]

    def reachable(self) -> bool:
        """Whether the bucket answers."""
        try:
            with _told():
                next(iter(obstore.list(self.objects, prefix=_NOTHING, chunk_size=1)), None)
        except (BlobsAwayError, FileNotFoundError):
            return False
        return True

    @contextmanager
    def lent(self, sha256: str, folder: Path, watch: Callable[[], None]) -> Iterator[Path]:
        """A copy, which is checked while it is written."""
        path = folder / sha256
        try:
            with path.open("xb", buffering=0) as file:

                def take(chunk: bytes) -> None:
                    watch()
                    file.write(chunk)

                if hashed(self.read(sha256)[1], take) != sha256:
                    raise FileNotFoundError(sha256)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def local(self, sha256: str) -> None:
        """Nowhere."""

    def read(self, sha256: str) -> tuple[int, Iterator[bytes]]:
        """Fetch it."""
        with _told():
            found = obstore.get(self.objects, _name(sha256))
        return found.meta["size"], _stream(found)


def _name(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"


def _stream(found: obstore.GetResult) -> Iterator[bytes]:
    with _told():
        for chunk in found.stream(min_chunk_size=_CHUNK):
            yield bytes(chunk)

"""A TCP relay that can be shut, and one that can swallow: what is behind it is away for a while."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final

from sqlalchemy.engine import make_url

_SO_ATTACH_FILTER: Final = 26
_SO_DETACH_FILTER: Final = 27
_NOTHING: Final = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
"""The packet filter of one instruction, "keep 0 bytes": with it, the kernel drops what comes before TCP sees it."""


class Gate:
    """Relays a port of this machine; use it in a ``with`` block.

    Args:
        port: what it leads to.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._open = True
        self._cut_off = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run)

    @property
    def port(self) -> int:
        """Where it is entered."""
        port: int = self._listener.getsockname()[1]
        return port

    def shut(self) -> None:
        """Cut every connection and take no new one."""
        self._open = False
        self._cut_off.wait()

    def swallow(self) -> None:
        """Drop every packet from now on, those that acknowledge or open a connection too; cut nothing."""
        program = struct.pack("HP", 1, ctypes.addressof(_NOTHING))
        for end in self._ends():
            end.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def open(self) -> None:
        """Let through again."""
        for end in self._ends():
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
        self._open = True
        self._cut_off.clear()

    def _ends(self) -> list[socket.socket]:
        return [self._listener, *(end for pair in self._pairs for end in pair)]

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._thread.join()
        self._cut()
        self._listener.close()

    def _cut(self) -> None:
        for pair in self._pairs:
            for end in pair:
                end.close()
        self._pairs = []

    def _run(self) -> None:
        while not self._ended:
            if not (self._open or self._cut_off.is_set()):
                self._cut()
                self._cut_off.set()
            ends = {end: other for pair in self._pairs for end, other in (pair, pair[::-1])}
            for end in select.select([self._listener, *ends], [], [], 0.02)[0]:
                if end is self._listener:
                    self._take()
                elif end.fileno() >= 0:
                    self._relay(end, ends[end])

    def _take(self) -> None:
        taken, _ = self._listener.accept()
        if not self._open:
            taken.close()
            return
        with suppress(OSError):
            self._pairs.append((taken, socket.create_connection(("127.0.0.1", self._target))))

    def _relay(self, end: socket.socket, other: socket.socket) -> None:
        try:
            data = end.recv(2**16)
            other.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._pairs = [pair for pair in self._pairs if end not in pair]
            end.close()
            other.close()


@contextmanager
def gated(url: str) -> Iterator[tuple[Gate, str]]:
    """A gate before the port of a URL, and the URL that leads through it."""
    parsed = make_url(url)
    assert parsed.port is not None
    with Gate(parsed.port) as gate:
        yield gate, parsed.set(port=gate.port).render_as_string(hide_password=False)

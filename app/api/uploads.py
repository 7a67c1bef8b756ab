"""Receiving a multipart upload: straight to disk while it is hashed, never whole in memory."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from app.api import magic
from app.errors import FieldError, Problem
from app.settings import Settings
from app.store.blobs import Incoming
from app.store.files import storage_full
from app.store.room import Reservation

_WRITE_BYTES: Final = 2**18
"""Bytes that are collected before a thread writes and hashes them: hundreds of uploads hold as many at once."""
_FIELD_BYTES: Final = 2**16
_FIELDS: Final = 50
_FORM_SPARE_BYTES: Final = 2**20
"""What a request may be larger than its file: the other fields and the part headers."""
_DRAIN_S: Final = 10.0
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FILE_FIELD: Final = "file"


@dataclass
class Form:
    """The form's text fields, and the file's name as its sender wrote it."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None


class _Parts:
    """Callbacks of the parser: sorts a form's bytes into fields and the file's next bytes to write."""

    def __init__(self, limit: int) -> None:
        self.form = Form()
        self.pending = bytearray()
        self.file_ended = False
        self._limit = limit
        self._received = 0
        self._headers: dict[bytes, bytes] = {}
        self._header_name = b""
        self._header_value = b""
        self._name = ""
        self._text = bytearray()

    def on_part_begin(self) -> None:
        self._headers = {}
        self._text = bytearray()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def on_headers_finished(self) -> None:
        _, disposition = parse_options_header(self._headers.get(b"content-disposition"))
        self._name = disposition.get(b"name", b"").decode("utf-8", "replace")
        if self._name != FILE_FIELD:
            return
        if self.form.file_name is not None:
            raise Problem(
                "invalid-request", errors=[FieldError(field=FILE_FIELD, message="sent more than once")]
            )
        self.form.file_name = disposition.get(b"filename", b"").decode("utf-8", "replace")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == FILE_FIELD:
            self._received += end - start
            if self._received > self._limit:
                raise Problem("upload-too-large")
            self.pending += memoryview(data)[start:end]
        else:
            self._text += data[start:end]
            if len(self._text) > _FIELD_BYTES:
                raise Problem(
                    "invalid-request", errors=[FieldError(field=self._name[:100], message="too long")]
                )

    def on_part_end(self) -> None:
        if self._name == FILE_FIELD:
            self.file_ended = True
            return
        if len(self.form.fields) >= _FIELDS:
            raise Problem("invalid-request", "too many form fields")
        self.form.fields[self._name] = self._text.decode("utf-8", "replace")


async def receive(request: Request, incoming: Incoming, room: Reservation, settings: Settings) -> Form:
    """Receive the form of a request, its file into ``incoming``.

    Args:
        request: not read from yet.
        incoming: where the file goes.
        room: what it may take, which grows with it.
        settings: the largest file, and the longest time and pause.

    Raises:
        Problem: it is no form, has no file, is too large or too slow, its file is no model, or the disk
            is full.
    """
    stream = request.stream()
    try:
        parser, parts = _parser(request, settings.upload_bytes)
        async with asyncio.timeout(settings.upload_s):
            return await _receive(_steady(stream, settings.upload_pause_s), parser, parts, incoming, room)
    except TimeoutError as error:
        raise Problem("upload-timeout", headers={"Connection": "close"}) from error
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        await _drain(stream)
        raise storage_full() from error
    except FormParserError as error:
        await _drain(stream)
        raise Problem("bad-form") from error
    except Problem:
        await _drain(stream)
        raise


def declared_bytes(request: Request) -> int:
    """The size of the body that a request declares; 0 where it declares none."""
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() else 0


def _parser(request: Request, limit: int) -> tuple[MultipartParser, _Parts]:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Problem("not-multipart")
    if declared_bytes(request) > limit + _FORM_SPARE_BYTES:
        raise Problem("upload-too-large")
    parts = _Parts(limit)
    callbacks = {name: getattr(parts, name) for name in dir(parts) if name.startswith("on_")}
    return MultipartParser(boundary, callbacks), parts  # type: ignore[arg-type]  # the dict is built by name


async def _receive(
    stream: AsyncIterator[bytes],
    parser: MultipartParser,
    parts: _Parts,
    incoming: Incoming,
    room: Reservation,
) -> Form:
    checked = False
    async for chunk in stream:
        parser.write(chunk)
        if not checked and (len(parts.pending) >= magic.HEAD_BYTES or parts.file_ended):
            magic.check(bytes(parts.pending[: magic.HEAD_BYTES]))
            checked = True
        if len(parts.pending) >= _WRITE_BYTES:
            room.cover(incoming.size_bytes + len(parts.pending))
            await run_in_threadpool(incoming.write, parts.pending)
            parts.pending = bytearray()
    if parts.form.file_name is None:
        raise Problem("file-missing")
    if not parts.file_ended:
        raise Problem("bad-form", "the body ends inside the file")
    await run_in_threadpool(incoming.write, parts.pending)
    return parts.form


async def _steady(stream: AsyncIterator[bytes], pause_s: float) -> AsyncIterator[bytes]:
    """The chunks of a stream that never pauses for longer; `TimeoutError` where it does."""
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), pause_s)
        except StopAsyncIteration:
            return
        yield chunk


async def _drain(stream: AsyncIterator[bytes]) -> None:
    """Read on for a while, so that a client that is still sending gets to see the answer."""
    end = time.monotonic() + _DRAIN_S
    try:
        async for _ in stream:
            if time.monotonic() > end:
                return
    except (ClientDisconnect, RuntimeError):  # the stream was read to its end already
        return

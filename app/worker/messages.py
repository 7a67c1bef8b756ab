"""What a child may say: one JSON object a line, length-capped, and distrusted.

A child parses a stranger's bytes, so what comes out of it may be the stranger's words.  Everything
is checked here, once: sizes, JSON without constants such as NaN, types, and the report's schema.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from analyzers.errors import INPUT_ERRORS
from analyzers.progress import Stage
from analyzers.report import Report

MAX_LINE_BYTES: Final = 16 * 2**20
"""Longest line: a report with every loss curve of a large model is under 2 MiB."""
MAX_TOTAL_BYTES: Final = 64 * 2**20
MAX_LINES: Final = 100_000


class ProtocolError(Exception):
    """The child said something that it may not say."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProgressMessage(_Message):
    """The diagnosis goes on."""

    type: Literal["progress"] = "progress"
    stage: Stage
    fraction: float = Field(ge=0, le=1, allow_inf_nan=False)
    message: str = Field(max_length=500)
    step: int | None = Field(default=None, ge=0, le=2**53)
    loss: float | None = Field(default=None, allow_inf_nan=False)


class ReadMessage(_Message):
    """The file was read and its specification written."""

    type: Literal["read"] = "read"


class ReportMessage(_Message):
    """The diagnosis is done."""

    type: Literal["report"] = "report"
    report: Report


class InputErrorMessage(_Message):
    """The file cannot be used."""

    type: Literal["input_error"] = "input_error"
    code: str
    detail: str = Field(max_length=4000)

    @field_validator("code")
    @classmethod
    def _known(cls, code: str) -> str:
        if code not in INPUT_ERRORS:
            raise ValueError("unknown code")
        return code


class FaultMessage(_Message):
    """Our own code raised; the text is for the log only."""

    type: Literal["fault"] = "fault"
    trace: str = Field(max_length=20_000)


class ExhaustedMessage(_Message):
    """There was no more memory to have."""

    type: Literal["exhausted"] = "exhausted"


ResultMessage = ReadMessage | ReportMessage | InputErrorMessage | FaultMessage
Message = ProgressMessage | ResultMessage | ExhaustedMessage
_ADAPTER: Final[TypeAdapter[Message]] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def _reject(constant: str) -> NoReturn:
    raise ProtocolError(f"JSON constant {constant}")


def parse(line: bytes) -> Message:
    """One line as a message.

    Raises:
        ProtocolError: it is none.
    """
    try:
        value: Any = json.loads(line, parse_constant=_reject)
        return _ADAPTER.validate_python(value)
    except (ValueError, ValidationError, RecursionError) as error:
        raise ProtocolError(type(error).__name__) from error


class Sender:
    """The child's end.

    Args:
        descriptor: the pipe's writing end.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, message: Message) -> None:
        """Write one line; blocks while the pipe is full."""
        line = memoryview(message.model_dump_json().encode("utf-8", "replace") + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]


class Receiver:
    """The parent's end.

    Args:
        descriptor: the pipe's reading end; set non-blocking here.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.ended = False
        self._buffer = bytearray()
        self._bytes = 0
        self._lines = 0

    def receive(self) -> Iterator[Message]:
        """The messages that have arrived; does not wait.

        Raises:
            ProtocolError: a limit is passed, or a line is no message.
        """
        while not self.ended:
            try:
                chunk = os.read(self.descriptor, 2**18)
            except BlockingIOError:
                return
            self.ended = not chunk
            self._bytes += len(chunk)
            if self._bytes > MAX_TOTAL_BYTES:
                raise ProtocolError("too many bytes")
            searched = len(self._buffer)
            self._buffer += chunk
            yield from self._whole_lines(searched)

    def _whole_lines(self, searched: int) -> Iterator[Message]:
        start = 0
        while (end := self._buffer.find(b"\n", max(start, searched))) >= 0:
            self._lines += 1
            if self._lines > MAX_LINES:
                raise ProtocolError("too many lines")
            yield parse(bytes(self._buffer[start:end]))
            start = end + 1
        del self._buffer[:start]
        if len(self._buffer) > MAX_LINE_BYTES:
            raise ProtocolError("line too long")

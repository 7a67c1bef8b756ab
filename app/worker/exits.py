"""How a child ends: what its supervisor raises, and one word for each end in the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.errors import Problem
from app.jobs.states import LeaseLostError
from app.worker.messages import FaultMessage, InputErrorMessage, ReadMessage, ReportMessage


class ChildTimeoutError(Exception):
    """The child used up its wall clock or its CPU seconds."""


class ChildMemoryError(Exception):
    """The child used up its memory."""


class ChildCrashedError(Exception):
    """The child ended without a valid result, or wrote more than it may."""


class ChildSignalledError(ChildCrashedError):
    """The child was ended by a signal of its own making, such as SIGSEGV."""


class ChildLostError(Exception):
    """The child was killed from outside, or its zygote is gone: nothing is said about the file.

    Attributes:
        trace: what the zygote last wrote on its standard error, for the log.
    """

    def __init__(self, message: str, trace: str = "") -> None:
        self.trace = trace
        super().__init__(message)


_CAUSES: Final[Mapping[type, str]] = {
    ReadMessage: "finished",
    ReportMessage: "finished",
    InputErrorMessage: "unusable-file",
    FaultMessage: "fault",
    ChildTimeoutError: "timeout",
    ChildMemoryError: "out-of-memory",
    ChildSignalledError: "signal",
    ChildCrashedError: "misbehaved",
    ChildLostError: "killed",
    LeaseLostError: "cancelled",
    Problem: "timeout",  # of the job as a whole
}
_STOPPED: Final = "stopped"
"""Whatever else its supervisor ended it for: the worker was told to stop."""


def cause_of(end: object) -> str:
    """Why a child has ended.

    Args:
        end: its result, or what was raised in the place of one.
    """
    return _CAUSES.get(type(end), _STOPPED)

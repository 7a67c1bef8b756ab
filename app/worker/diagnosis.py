"""One diagnosis in sandboxed children: the service's worker and the command line both run this."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from analyzers.bounds import unpacked_bytes
from analyzers.options import Options
from analyzers.report import Report
from app.errors import Problem
from app.jobs.lanes import Lane
from app.settings import GIB, Settings
from app.worker.exits import ChildCrashedError, ChildLostError, ChildMemoryError, ChildTimeoutError
from app.worker.launcher import Watch, Zygote
from app.worker.messages import (
    FaultMessage,
    InputErrorMessage,
    ProgressMessage,
    ReadMessage,
    ReportMessage,
    ResultMessage,
)
from app.worker.sandbox import Limits

READING: Final = "app.worker.reading"
PROBE: Final = "app.worker.probing"
GRACE_S: Final = 30
"""Seconds beside its budget that a probe child may take: building, tracing, writing the report."""
_SPARE_FILE_BYTES: Final = GIB // 16
"""What a child may write beside a file's whole content: its specification."""

Faulty = Callable[[str], None]
"""Called with the trace of a fault in our own code, for the log."""


@dataclass(frozen=True)
class ModelFile:
    """The file to diagnose, its SHA-256 and its size as the one who received it counted them."""

    path: Path
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Task:
    """One diagnosis to make.

    Attributes:
        model: the file; only the reading child opens it.
        options: the sender's options.
        report_id: the report's id.
        scratch: an empty folder for this diagnosis alone.
        progress: called with what the children say on their way.
        watch: called again and again; may raise to stop.
    """

    model: ModelFile
    options: Options
    report_id: str
    scratch: Path
    progress: Callable[[ProgressMessage], None]
    watch: Watch

    @property
    def arguments(self) -> dict[str, Any]:
        """What both children are told."""
        return {"options": self.options.model_dump(mode="json"), "id": self.report_id}


@dataclass(frozen=True)
class Diagnosis:
    """The report, and the repaired model's file where one was written."""

    report: Report
    repaired: Path | None


@dataclass(frozen=True)
class _Codes:
    """What a stage's ends mean."""

    timeout: str
    crash: str
    memory: str


_READING_CODES: Final = _Codes("reading-timeout", "reading-crash", "reading-memory")
_PROBE_CODES: Final = _Codes("probe-timeout", "probe-crash", "model-too-large")


class Children:
    """The zygotes, and what is run in their children.

    Args:
        settings: memory and times.
        faulty: told the traces of faults in our own code.
        lane: what is to be run; static reports need no probe zygote.
    """

    def __init__(self, settings: Settings, faulty: Faulty, lane: Lane = "probe") -> None:
        self._settings = settings
        self._faulty = faulty
        self.reading = Zygote(READING)
        self.probe = Zygote(PROBE)
        self._probes = lane == "probe"

    def start(self) -> None:
        """Start the zygotes that do not run; does not wait for them."""
        for zygote in self._needed():
            zygote.start()

    def _needed(self) -> tuple[Zygote, ...]:
        return (self.reading, self.probe) if self._probes else (self.reading,)

    def keep(self) -> None:
        """Start again what has ended, and hear whether they are ready; between two diagnoses only."""
        for zygote in self._needed():
            try:
                zygote.hear()
            except ChildLostError as error:
                self._faulty(error.trace)
        self.start()

    @property
    def ready(self) -> bool:
        """Whether each can fork at once."""
        return all(zygote.ready for zygote in self._needed())

    def exits(self) -> Counter[str]:
        """Why children have ended since this was last asked."""
        queues = (self.reading.exits, self.probe.exits)
        return Counter(queue.get_nowait() for queue in queues for _ in range(queue.qsize()))

    def close(self) -> None:
        """End them, and with them every child."""
        self.reading.close()
        self.probe.close()

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def diagnose(self, task: Task) -> Diagnosis:
        """Diagnose a model file.

        Raises:
            Problem: the file cannot be used, or we failed.
            ChildLostError: a child was killed from outside; trying again may help.
        """
        if task.options.probe == "off":
            return Diagnosis(
                _checked(self._run_reading("read_and_judge", task, task.scratch), task.model), None
            )
        spec, output = task.scratch / "spec", task.scratch / "output"
        spec.mkdir()
        output.mkdir()
        if not isinstance(self._run_reading("read", task, spec), ReadMessage):
            raise Problem("reading-crash")
        repaired = output / "repaired.keras"
        report = _checked(self._run_probe(task, spec, repaired), task.model)
        return Diagnosis(report, repaired if os.path.lexists(repaired) else None)

    def longest_s(self, options: Options) -> float:
        """Seconds that the children of one diagnosis may take together."""
        return self._settings.reading_wall_s + _probe_wall_s(options)

    def _run_reading(self, target: str, task: Task, directory: Path) -> ResultMessage:
        limits = Limits(
            cpu_s=self._settings.reading_cpu_s,
            data_bytes=GIB + 2 * task.model.size_bytes,
            file_bytes=unpacked_bytes(task.model.size_bytes) + _SPARE_FILE_BYTES,
            readable=(str(task.model.path),),
            writable=str(directory),
        )
        arguments = task.arguments | {"model": str(task.model.path), "directory": str(directory)}
        wall_s = self._settings.reading_wall_s
        return self._result(self.reading, target, task, arguments=arguments, limits=limits, wall_s=wall_s)

    def _run_probe(self, task: Task, spec: Path, repaired: Path) -> ResultMessage:
        limits = Limits(
            cpu_s=int(task.options.longest_s * (os.cpu_count() or 1)) + GRACE_S,
            data_bytes=self._settings.memory_bytes + GIB,
            file_bytes=unpacked_bytes(task.model.size_bytes) + _SPARE_FILE_BYTES,
            readable=(str(spec),),
            writable=str(repaired.parent),
            accelerator=True,
        )
        arguments = task.arguments | {
            "directory": str(spec),
            "repaired": str(repaired),
            "memory_bytes": self._settings.memory_bytes,
        }
        wall_s = _probe_wall_s(task.options)
        return self._result(self.probe, "examine", task, arguments=arguments, limits=limits, wall_s=wall_s)

    def _result(
        self,
        zygote: Zygote,
        target: str,
        task: Task,
        *,
        arguments: Mapping[str, Any],
        limits: Limits,
        wall_s: float,
    ) -> ResultMessage:
        codes = _READING_CODES if zygote is self.reading else _PROBE_CODES
        try:
            message = zygote.run(
                target, arguments, limits, wall_s=wall_s, progress=task.progress, watch=task.watch
            )
        except ChildTimeoutError as error:
            raise Problem(codes.timeout) from error
        except ChildCrashedError as error:
            raise Problem(codes.crash) from error
        except ChildMemoryError as error:
            raise Problem(codes.memory) from error
        except ChildLostError as error:
            if error.trace:
                self._faulty(error.trace)
            raise
        if isinstance(message, InputErrorMessage):
            raise Problem(message.code, message.detail)
        if isinstance(message, FaultMessage):
            self._faulty(message.trace)
            raise Problem("diagnosis-failed")
        return message


def _probe_wall_s(options: Options) -> float:
    return options.longest_s + GRACE_S


def _checked(message: ResultMessage, model: ModelFile) -> Report:
    """The report, with what the file is as we received it, not as a child says."""
    if not isinstance(message, ReportMessage):
        raise Problem("diagnosis-failed")
    summary = message.report.model.model_copy(update={"sha256": model.sha256, "size_bytes": model.size_bytes})
    return message.report.model_copy(update={"model": summary})


def with_repaired_link(report: Report, link: str | None) -> Report:
    """The report with the address of its repaired model, or without one where there is no such file."""
    if report.fix is None:
        return report
    return report.model_copy(update={"fix": report.fix.model_copy(update={"repaired_model": link})})

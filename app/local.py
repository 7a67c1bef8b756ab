"""Diagnosis of a file on this machine, with the same two sandboxed children as the service's worker."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from analyzers.options import Options
from analyzers.report import Report
from app.errors import Problem
from app.jobs.lanes import lane_of
from app.settings import Settings
from app.worker import sandbox
from app.worker.diagnosis import Children, ModelFile, Task, with_repaired_link
from app.worker.exits import ChildLostError
from app.worker.launcher import Watch
from app.worker.messages import ProgressMessage

_CHUNK: Final = 2**20


def diagnose(
    path: Path,
    options: Options,
    *,
    repaired: Path | None,
    progress: Callable[[ProgressMessage], None],
    faulty: Callable[[str], None],
) -> Report:
    """Diagnose a file.

    Args:
        path: the model file.
        options: what is known about its training.
        repaired: where to put the repaired model, if one is wanted and there is one.
        progress: called with what the children say on their way.
        faulty: told the trace of a fault in our own code.

    Raises:
        Problem: the file cannot be used, or we failed.
        OSError: the file cannot be read, or the repaired model not written.
        app.worker.sandbox.WeakSandboxError: this kernel cannot shut the children in.
    """
    settings = Settings()
    sandbox.require(allow_weak=settings.allow_weak_sandbox, whole=settings.require_sandbox)
    with (
        Children(settings, faulty, lane_of(options)) as children,
        tempfile.TemporaryDirectory(prefix="unstuck-") as scratch,
    ):
        children.start()
        task = Task(
            model=_measure(path),
            options=options,
            report_id=secrets.token_hex(16),
            scratch=Path(scratch),
            progress=progress,
            watch=_nothing_to_watch,
        )
        try:
            diagnosis = children.diagnose(task)
        except ChildLostError as error:
            raise Problem("worker-lost", str(error)) from error
        if diagnosis.repaired is None or repaired is None:
            return with_repaired_link(diagnosis.report, None)
        _take(diagnosis.repaired, repaired)
        return with_repaired_link(diagnosis.report, str(repaired))


_nothing_to_watch: Watch = lambda: None  # noqa: E731 - the type is the documentation


def _measure(path: Path) -> ModelFile:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return ModelFile(path.resolve(), digest.hexdigest(), size)


def _take(written: Path, target: Path) -> None:
    if written.is_symlink() or not written.is_file():
        raise Problem("diagnosis-failed", "the repaired model is no plain file")
    shutil.copyfile(written, target)

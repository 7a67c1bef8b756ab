"""The diagnosis of a saved Keras model, usable as a library: ``from analyzers import diagnose``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from analyzers.options import Options
from analyzers.progress import ProgressCallback, silent

if TYPE_CHECKING:
    from analyzers.report import Report

__all__ = ["Options", "diagnose"]


def diagnose(
    path: Path | str, options: Options | None = None, *, progress: ProgressCallback = silent
) -> Report:
    """Diagnose a model file in this very process: for files that you trust.

    The service and the command line run the same two halves in sandboxed children instead.

    Args:
        path: a ``.keras`` or ``.h5`` file.
        options: what is known about the training beside the file.
        progress: called with every :class:`~analyzers.progress.Progress`.

    Returns:
        The report; ``fix.repaired_model`` names no file here (use the engine for that).

    Raises:
        analyzers.errors.InputError: the file cannot be used.
    """
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - keeps `import analyzers.report` light

    from analyzers.engine import examine, read, read_and_judge  # noqa: PLC0415 - same reason

    options = options or Options()
    if options.probe == "off":
        return read_and_judge(Path(path), options, progress=progress)
    with TemporaryDirectory(prefix="unstuck-") as directory:
        read(Path(path), Path(directory), progress=progress)
        return examine(Path(directory), options, progress=progress)

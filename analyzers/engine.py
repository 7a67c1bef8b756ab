"""The engine: two halves, each for one process.  `read` opens the file, `examine` sees only what it left."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from analyzers.options import Options
from analyzers.progress import Progress, ProgressCallback, silent
from analyzers.reading import open_model
from analyzers.reading.training import named_loss, named_optimizer
from analyzers.report import Report
from analyzers.spec import ModelSpec, TrainingSpec, store

MEMORY_BYTES: Final = 8 << 30
"""Memory that training may take unless the caller says otherwise."""


def read(
    path: Path,
    directory: Path,
    *,
    copy_weights: bool = True,
    sha256: str | None = None,
    progress: ProgressCallback = silent,
) -> ModelSpec:
    """Read a model file into a spec directory (``analyzers.spec.store``).

    Args:
        path: the file.
        directory: an empty folder.
        copy_weights: whether the weights are wanted there.
        sha256: the file's digest where it is known already, in hex.
        progress: told once.

    Raises:
        InputError: the file cannot be used.
    """
    progress(Progress("reading", 0.01, "reading the file"))
    started = time.monotonic()
    with open_model(path, sha256=sha256) as spec:
        store.write(spec, directory, copy_weights=copy_weights)
    (directory / "reading_s").write_text(f"{time.monotonic() - started:.6f}")
    return store.load(directory)


def examine(
    directory: Path,
    options: Options,
    *,
    report_id: str = "",
    progress: ProgressCallback = silent,
    repaired: Path | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Report:
    """Diagnose a spec directory: rules, probe, fix.

    Args:
        directory: from `read`.
        options: the sender's word.
        report_id: id of the report.
        progress: told about every stage and every few steps.
        repaired: where to write the repaired model, if a fix is found.
        memory_bytes: memory that training may take.

    Raises:
        InputError: the file cannot be used (``model-too-large``).
    """
    spec = store.load(directory)
    reading_s = float((directory / "reading_s").read_text())
    from analyzers.diagnosis.pipeline import diagnose_spec  # noqa: PLC0415 - imports keras

    return diagnose_spec(
        overridden(spec, options), options, report_id=report_id, progress=progress, repaired=repaired,
        memory_bytes=memory_bytes, reading_s=reading_s,
    )  # fmt: skip


def read_and_judge(
    path: Path,
    options: Options,
    *,
    report_id: str = "",
    sha256: str | None = None,
    progress: ProgressCallback = silent,
) -> Report:
    """Read a file and judge it by the static rules alone; neither Keras nor a copy of the weights.

    Args:
        path: the file.
        options: the sender's word.
        report_id: id of the report.
        sha256: the file's digest where it is known already, in hex.
        progress: told about both stages.

    Raises:
        InputError: the file cannot be used.
    """
    from analyzers.diagnosis.static import READ_ONLY, static_report  # noqa: PLC0415 - keeps the module graph flat

    progress(Progress("reading", 0.01, "reading the file"))
    started = time.monotonic()
    with open_model(path, sha256=sha256) as spec:
        reading_s = time.monotonic() - started
        progress(Progress("rules", 0.3, "checking the rules"))
        return static_report(
            overridden(spec, options), options, report_id=report_id, reading_s=reading_s,
            reason=READ_ONLY,
        )  # fmt: skip


def overridden(spec: ModelSpec, options: Options) -> ModelSpec:
    """The spec with the sender's loss, optimizer and rate in place of the file's.

    Raises:
        InputError: ``unknown-option`` for a loss or optimizer that Keras does not have.
    """
    if options.loss is None and options.optimizer is None and options.learning_rate is None:
        return spec
    outputs = len(spec.outputs)
    training = spec.training or TrainingSpec((None,) * outputs, None, None, None)
    if options.loss is not None:
        training = replace(training, losses=(named_loss(options.loss),) * outputs)
    if options.optimizer is not None:
        optimizer = named_optimizer(options.optimizer)
        training = replace(
            training, optimizer=optimizer, learning_rate=None, schedule=None, rate_in_force=None
        )
    if options.learning_rate is not None:
        training = replace(training, learning_rate=options.learning_rate, schedule=None, rate_in_force=None)
    return replace(spec, training=training)

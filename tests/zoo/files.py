"""Model files of the zoo, built on demand into a cache folder.

A file is written by a process of its own (``python -m tests.zoo.write``): there Keras's automatic
names count from zero, as in the script of whoever built the model, and today's Keras and the legacy
one never meet.  The cache key holds the builders' source, so a changed builder is built again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final, Literal

from tests.zoo.cases import CASES
from tests.zoo.cases.case import Scale

Format = Literal["keras", "h5"]
"""``keras``: today's format, written by Keras 3.  ``h5``: the legacy format, written by tf_keras."""

FORMATS: Final[tuple[Format, ...]] = ("keras", "h5")
ROOT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = Path(__file__).with_name(".cache")
_BUILD_TIMEOUT_S: Final = 3600.0


def model_file(
    name: str, fmt: Format = "keras", scale: Scale = "small", *, record_losses: bool = False
) -> Path:
    """The path of a zoo model's file, built first where it is missing.

    Args:
        name: of a founding case (``c5-trained``) or of a healthy model (``keras.applications`` too).
        fmt: file format.
        scale: the source's size or the small twin; healthy models have one size only.
        record_losses: train again and keep the losses of a trained case under ``losses/``.

    Raises:
        RuntimeError: the builder failed, with what it said.
    """
    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"{name}.{scale}.{_builders_digest(name)}.{fmt}"
    if path.exists() and not record_losses:
        return path
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial.{fmt}")
    command = [sys.executable, "-m", "tests.zoo.write", name, fmt, scale, str(partial)]
    if record_losses:
        command.append("--record-losses")
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=_quiet(),
            timeout=_BUILD_TIMEOUT_S,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{name} ({fmt}, {scale}) was not built:\n{done.stderr}")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _quiet() -> dict[str, str]:
    return os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


@cache
def _builders_digest(name: str) -> str:
    """A digest of the sources that say what is in the model's file."""
    here = Path(__file__).parent
    own = list((here / "cases").glob(f"{name.split('-', maxsplit=1)[0]}_*.py"))
    sources = [*own, here / "cases" / "vgg.py"] if own else [here / "healthy.py"]
    if name in CASES and CASES[name].training:
        sources += [here / "task.py", here / "train_stuck.py"]
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:10]

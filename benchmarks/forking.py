"""Work in a process of its own, forked from one that has imported Keras and done nothing else with it."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def forked(work: Callable[[], dict[str, Any]], output: Path, timeout_s: float) -> dict[str, Any]:
    """What ``work`` returns, kept as JSON at ``output`` once it is whole.

    Returns:
        The result, or ``{"failure": ...}`` where the process ended without one or outran its seconds.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)
    child = multiprocessing.get_context("fork").Process(target=_keep, args=(work, output))
    child.start()
    child.join(timeout_s)
    if child.is_alive():
        child.kill()
        child.join()
        return {"failure": f"not done after {timeout_s:.0f} s"}
    if not output.exists():
        return {"failure": f"exit code {child.exitcode}"}
    result: dict[str, Any] = json.loads(output.read_text("utf-8"))
    return result


def _keep(work: Callable[[], dict[str, Any]], output: Path) -> None:
    result = work()
    partial = output.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(result), "utf-8")
    partial.replace(output)

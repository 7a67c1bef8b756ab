"""Run :mod:`benchmarks.one` in a process of its own and keep its result."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from analyzers.options import Options

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = Path(__file__).with_name("results")
TIMEOUT_S: Final = 1800.0
_LOG_TAIL: Final = 2000


def run_one(path: Path, output: Path, options: Options | None = None) -> dict[str, Any]:
    """Diagnose ``path`` in a fresh process; the result is kept at ``output`` once it is whole.

    Returns:
        What ``benchmarks.one`` measured, or ``{"failure": ...}`` with the end of the log.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    at_start = state(path)
    partial = output.with_suffix(f".{os.getpid()}.partial")
    command = [sys.executable, "-m", "benchmarks.one", str(path), "--output", str(partial)]
    command += ["--options", (options or Options()).model_dump_json()]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, cwd=ROOT, env=environment, timeout=TIMEOUT_S, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"not done after {TIMEOUT_S:.0f} s"}
    if done.returncode:
        return {"failure": f"exit code {done.returncode}: {done.stderr[-_LOG_TAIL:]}"}
    result: dict[str, Any] = json.loads(partial.read_text("utf-8")) | {"state": at_start}
    partial.write_text(json.dumps(result), "utf-8")
    partial.replace(output)
    return result


def state(path: Path) -> str:
    """What a result depends on: the model file and every source of the diagnosis, as a short text."""
    digest = hashlib.sha256()
    for source in sorted((ROOT / "analyzers").rglob("*.py")):
        digest.update(source.read_bytes())
    return f"{path.name} {digest.hexdigest()[:12]}"


def machine() -> str:
    """The machine in words: processor, cores, whether it multiplies bfloat16 matrices itself (AMX)."""
    model, amx = platform.processor(), False
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        text = cpuinfo.read_text("utf-8")
        names = [
            line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")
        ]
        model, amx = names[0] if names else model, "amx_bf16" in text
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {'AMX' if amx else 'no AMX'}"

"""Diagnose one file in this process and write what it took: ``python -m benchmarks.one FILE --output JSON``.

A process for each file, because the peak of the resident memory is a property of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

from analyzers.engine import examine, read
from analyzers.options import Options


def measure(path: Path, options: Options) -> dict[str, object]:
    """Run both halves of the engine on a file.

    Returns:
        The report, wall seconds of reading and of the whole, and the peak resident memory in bytes.
    """
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        directory, repaired = Path(folder) / "spec", Path(folder) / "repaired.keras"
        directory.mkdir()
        start = time.perf_counter()
        read(path, directory)
        reading = time.perf_counter() - start
        report = examine(directory, options, repaired=repaired)
        total = time.perf_counter() - start
        return {
            "report": report.model_dump(mode="json"),
            "reading_s": round(reading, 3),
            "total_s": round(total, 3),
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "repaired_bytes": repaired.stat().st_size if repaired.exists() else None,
        }


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--options", default="{}", help="options as JSON")
    given = parser.parse_args()
    result = measure(given.file, Options.model_validate_json(given.options))
    given.output.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Seconds from the end of an upload to the static report (``probe=off``), over HTTP on a warm service.

``python -m benchmarks.static_latency [NAME] [--repeats 5]`` (C5 at its full size unless named otherwise).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

from benchmarks.running import machine
from tests.app.server import REAL, Server, start
from tests.zoo.files import model_file


class TimedFile:
    """A file that remembers when it was last read: with its last bytes, the upload has ended."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self.last_read = 0.0

    def read(self, size: int = -1) -> bytes:
        """Read and note the time."""
        content = self._file.read(size)
        self.last_read = time.perf_counter()
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def latency(server: Server, path: Path, seed: int) -> tuple[float, str]:
    """Upload once; a seed of its own keeps the stored report of an earlier upload out.

    Returns:
        Seconds from the last byte sent to the report, and the report's verdict.
    """
    with server.client() as client, path.open("rb") as opened:
        file = TimedFile(opened)
        answer = client.post(
            "/v1/diagnoses",
            params={"wait": 60},
            files={"file": (path.name, cast(BinaryIO, file))},
            data={"probe": "off", "seed": str(seed)},
        )
        seconds = time.perf_counter() - file.last_read
    answer.raise_for_status()
    return seconds, answer.json()["verdict"]


def main() -> None:
    """Start a service, warm it with one upload, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", default="c5")
    parser.add_argument("--scale", choices=("full", "small"), default="full")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    path = model_file(given.name, "keras", given.scale)
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        server = start(Path(folder), REAL)
        try:
            measured = [latency(server, path, seed) for seed in range(given.repeats + 1)][1:]
            web_mib = server.resident_bytes() / 2**20
        finally:
            server.stop()
    seconds = [taken for taken, _ in measured]
    print(f"{machine()}; {given.name} {given.scale}, {path.stat().st_size / 2**20:.0f} MiB")
    print(f"end of upload to report: median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s")
    print(f"verdict {measured[0][1]}; resident memory of the web process at its highest {web_mib:.0f} MiB")


if __name__ == "__main__":
    main()

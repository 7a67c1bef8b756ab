"""``make demo``: a VGG that will not train meets a real service, and comes back with a fix.

Starts the service on a free port, sends it the model of founding case C1 (in small) as a CI job would,
prints the report, keeps it as a page and the repaired model beside it, and stops the service.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import httpx2

from tests.app.server import REAL, start
from tests.zoo.files import model_file

KEPT: Final = Path("build/demo")


def main() -> int:
    """Run the demonstration.

    Returns:
        0 when the service found the model stuck, as it is.
    """
    KEPT.mkdir(parents=True, exist_ok=True)
    print("Building a VGG19 whose preprocessing is bypassed ...", flush=True)  # noqa: T201
    model = model_file("c1")
    print(f"  {model}\nStarting the service ...", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="unstuck-demo-") as data:
        server = start(Path(data), REAL)
        try:
            repaired = KEPT / "repaired.keras"
            command = ["diagnose", str(model), "--server", server.url, "--repaired", str(repaired)]
            print(f"  {server.url}\n\n$ unstuck {' '.join(command)}", flush=True)  # noqa: T201
            status = subprocess.run([sys.executable, "-m", "app.cli", *command], check=False).returncode  # noqa: S603 - our own command
            page = KEPT / "report.html"
            with server.client() as client:
                page.write_text(_report(client), encoding="utf-8")
        finally:
            server.stop()
    print(f"\nexit code {status} (1: the build would fail)\nreport as a page: {page.resolve()}")  # noqa: T201
    if repaired.exists():
        print(f"repaired model:   {repaired.resolve()}")  # noqa: T201
    return 0 if status == 1 else 1


def _report(client: httpx2.Client) -> str:
    """The only diagnosis of the service, as a page."""
    newest = client.get("/v1/diagnoses").raise_for_status().json()["diagnoses"][0]
    answer = client.get(f"/v1/diagnoses/{newest['id']}/report", params={"format": "html"})
    return answer.raise_for_status().text


if __name__ == "__main__":
    sys.exit(main())

"""The whole service, real but for what its children do: run as a process, settings from the environment."""

from __future__ import annotations

from app.jobs import housekeeping
from app.serve import serve
from app.settings import Settings

if __name__ == "__main__":
    housekeeping._ANNOUNCE_S = 1.0  # type: ignore[misc]
    serve(Settings(), worker="tests.app.scripted_supervisor")

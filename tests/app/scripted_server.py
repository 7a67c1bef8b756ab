"""The whole service, real but for what its children do: run as a process, settings from the environment."""

from __future__ import annotations

from app.serve import serve
from app.settings import Settings

if __name__ == "__main__":
    serve(Settings(), worker="tests.app.scripted_supervisor")

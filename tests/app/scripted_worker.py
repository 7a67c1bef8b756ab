"""``unstuck worker``, real but for what its children do."""

from __future__ import annotations

from app.settings import Settings
from app.worker.host import work

if __name__ == "__main__":
    work(Settings(), module="tests.app.scripted_lane")

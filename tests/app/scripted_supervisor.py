"""The product's worker process with children that do what the "model file" says."""

from __future__ import annotations

from app.worker import diagnosis, supervisor

if __name__ == "__main__":
    diagnosis.READING = diagnosis.PROBE = "tests.app.scripted_zygote"  # type: ignore[misc]
    diagnosis.GRACE_S = 1  # type: ignore[misc]
    supervisor.main()

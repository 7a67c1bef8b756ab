"""The product's Celery process of one lane, with children that do what the "model file" says."""

from __future__ import annotations

from app.worker import diagnosis, distributed

if __name__ == "__main__":
    diagnosis.READING = diagnosis.PROBE = "tests.app.scripted_zygote"  # type: ignore[misc]
    distributed.main()

"""Fixtures that several parts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a service of this test's own, with short times."""
    return Settings(data=tmp_path / "data", lease_s=2.0, memory_bytes=2**30)

"""Fixtures that several parts share."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import pytest

from app.settings import Settings


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Draw every test's weights and samples from a seed of its own name, whatever ran before it.

    Names that Keras counts up (``dense_7``) start anew with every test too.
    """
    if keras := sys.modules.get("keras"):
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(zlib.crc32(item.nodeid.encode()))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a service of this test's own, with short times."""
    return Settings(data=tmp_path / "data", lease_s=2.0, memory_bytes=2**30)

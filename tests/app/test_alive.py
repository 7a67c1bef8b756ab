from __future__ import annotations

import pytest

from app.jobs.lanes import LANES
from app.settings import Settings
from app.store import Store
from app.store.folder import any_name
from app.worker import alive as module
from app.worker.alive import alive


def beat(store: Store, name: str, *lanes: str) -> None:
    store.workers.beat(name, lanes=lanes, ready=True, memory_bytes=1, sandbox={})  # type: ignore[arg-type]  # literals


def test_a_worker_lives_while_every_lane_of_its_folder_gives_signs(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not alive(settings, store), "none was ever started"
    names = {lane: any_name(settings.data, f"worker-{lane}") for lane in LANES}
    beat(store, "of another machine", *LANES)
    assert not alive(settings, store)
    for lane, name in names.items():
        assert not alive(settings, store)
        beat(store, name, lane)
    assert alive(settings, store)
    monkeypatch.setattr(module, "SILENT_S", 0.0)
    assert not alive(settings, store), "its last sign is too old"

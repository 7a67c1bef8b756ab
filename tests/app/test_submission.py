from __future__ import annotations

import asyncio

import pytest

from app.api import submission
from app.api.submission import Wanted
from app.store import Store
from app.store.tables import IdempotentRequest
from tests.app.loops import ran
from tests.waiting import until


def test_a_key_is_renewed_for_as_long_as_its_request_comes_in(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "_RENEW_S", 0.01)
    wanted = Wanted(owner="k", interactive=False, reuse=True, idempotency_key="one")

    def renewed_at() -> float:
        with store.database.read() as session:
            return session.get_one(IdempotentRequest, ("k", "one")).created_at

    async def receive() -> None:
        async with submission._once(store, wanted) as earlier:
            assert earlier is None
            for _ in range(2):
                begun = renewed_at()
                await asyncio.to_thread(until, lambda begun=begun: renewed_at() > begun)
            raise EOFError

    with pytest.raises(EOFError):
        ran(receive())
    assert store.requests.begin("k", "one") is None, "what became no job may be sent again at once"

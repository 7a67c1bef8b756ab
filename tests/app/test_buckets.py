"""A whole service that keeps its model files in a bucket."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from app.settings import Settings
from app.store import open_store
from tests.app import server as servers
from tests.app.buckets import bucket_url
from tests.app.calls import WAIT_S, assert_problem, send


def test_model_files_are_kept_in_a_bucket(tmp_path: Path) -> None:
    with ExitStack() as stack:
        bucket = stack.enter_context(ExitStack())
        url = bucket.enter_context(bucket_url())
        store = open_store(Settings(data=tmp_path, blob_url=url))
        stack.callback(store.database.close)
        server = servers.start(tmp_path, blob_url=url)
        stack.callback(server.stop)
        client = stack.enter_context(server.client())
        answer = send(client, wait=WAIT_S)
        assert answer.status_code == 200, answer.text
        repaired = client.get(answer.json()["fix"]["repaired_model"])
        assert repaired.content == b"repaired"
        assert ".keras" in repaired.headers["content-disposition"]
        assert send(client, probe="off", wait=WAIT_S).status_code == 200
        assert len(list(store.blobs.older(-3600))) == 3
        assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []
        assert client.delete(answer.headers["location"]).status_code == 204
        assert len(list(store.blobs.older(-3600))) == 1
        bucket.close()
        assert "retry-after" in send(client).headers
        assert_problem(send(client), 503, "unavailable")
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["blobs"]) == (503, False)

"""Who may call, and what they see: the real application in this process, without a worker."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2
import pytest
import uvicorn
from starlette.testclient import TestClient

from app.api import sessions
from app.errors import PROBLEM_JSON
from app.main import create_app
from app.secret import open_secret
from app.serve import RefusedError, check
from app.settings import Settings
from app.store import Store
from app.store.keys import Scope
from tests.app.scripted_zygote import script


@pytest.fixture
def client(store: Store, settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings.model_copy(update={"upload_rate": "5/minute"}))) as opened:
        yield opened


def bearer(store: Store, *scopes: Scope, expires_at: float | None = None) -> dict[str, str]:
    _, key = store.keys.create("test", scopes or ("read", "write"), expires_at)
    return {"Authorization": f"Bearer {key}"}


def send(client: TestClient, headers: dict[str, str], content: bytes = b"") -> httpx2.Response:
    files = {"file": ("m.h5", content or script())}
    return client.post("/v1/diagnoses", files=files, headers=headers)


def code(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == PROBLEM_JSON
    return response.status_code, response.json()["code"]


def test_the_service_is_open_until_there_is_a_key_and_closed_for_ever_after(
    client: TestClient, store: Store
) -> None:
    address = send(client, {}).headers["location"]
    assert client.get(address).status_code == 200
    key_id, _ = store.keys.create("first", ["read"])
    refused = client.get(address)
    assert code(refused) == (401, "key-missing")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    store.keys.revoke(key_id)
    assert code(client.get("/v1/diagnoses")) == (401, "key-missing")
    for public in ("/", "/healthz", "/v1/limits", "/v1/rules", "/v1/openapi.json", "/v1/schemas/report"):
        assert client.get(public).status_code == 200


def test_each_key_sees_its_own(client: TestClient, store: Store) -> None:
    mine, theirs = bearer(store), bearer(store)
    address = send(client, mine).headers["location"]
    assert client.get(address, headers=mine).status_code == 200
    for path in ("", "/report", "/events", "/repaired-model", "/deliveries"):
        assert code(client.get(address + path, headers=theirs)) == (404, "diagnosis-not-found")
    assert code(client.delete(address, headers=theirs)) == (404, "diagnosis-not-found")
    assert client.get("/v1/diagnoses", headers=theirs).json()["diagnoses"] == []
    assert len(client.get("/v1/diagnoses", headers=mine).json()["diagnoses"]) == 1
    assert client.delete(address, headers=mine).status_code == 204


def test_a_key_allows_what_its_scopes_say(client: TestClient, store: Store) -> None:
    reading, writing, scraping = (bearer(store, scope) for scope in ("read", "write", "metrics"))
    assert code(send(client, reading)) == (403, "scope-missing")
    assert code(client.get("/metrics", headers=reading)) == (403, "scope-missing")
    assert send(client, writing).status_code == 202
    assert code(client.get("/v1/diagnoses", headers=writing)) == (403, "scope-missing")
    assert client.get("/metrics", headers=scraping).status_code == 200


def test_keys_that_do_not_hold_are_refused(client: TestClient, store: Store) -> None:
    expired = bearer(store, expires_at=time.time() - 1)
    for headers in (expired, {"Authorization": "Bearer usk_0_0"}, {"Authorization": "Bearer "}):
        assert client.get("/v1/diagnoses", headers=headers).status_code == 401


def test_uploads_are_rated_by_key(client: TestClient, store: Store) -> None:
    one, other = bearer(store), bearer(store)
    answers = [send(client, one) for _ in range(6)]
    assert [answer.status_code for answer in answers[:5]] == [202] * 5
    assert code(answers[5]) == (429, "too-many-requests")
    assert 1 <= int(answers[5].headers["retry-after"]) <= 60
    assert send(client, other).status_code == 202


def test_a_browser_signs_in_and_unsafe_requests_want_its_token(client: TestClient, store: Store) -> None:
    key = bearer(store)
    signed_in = client.post("/v1/session", headers=key)
    cookie = signed_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert key["Authorization"][-20:] not in cookie
    token = signed_in.json()["csrf_token"]
    assert client.get("/v1/session").json()["csrf_token"] == token
    assert code(send(client, {})) == (403, "csrf-token-invalid")
    assert code(send(client, {"X-CSRF-Token": "0" * 64})) == (403, "csrf-token-invalid")
    address = send(client, {"X-CSRF-Token": token}).headers["location"]
    assert client.get(address).status_code == 200
    assert code(client.delete(address)) == (403, "csrf-token-invalid")
    assert client.delete("/v1/session", headers={"X-CSRF-Token": token}).status_code == 204
    assert code(client.get(address)) == (401, "key-missing")


@pytest.mark.parametrize(("proxy", "secure"), [("10.1.2.3", True), ("192.0.2.1", False)])
def test_the_cookie_is_secure_where_a_trusted_proxy_says_https(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch, proxy: str, secure: bool
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.0/8")
    config = uvicorn.Config(create_app(settings), log_config=None)
    config.load()
    with TestClient(config.loaded_app, client=(proxy, 50000)) as client:
        answer = client.post("/v1/session", headers=bearer(store) | {"X-Forwarded-Proto": "https"})
        assert ("secure" in answer.headers["set-cookie"].lower()) is secure


def test_a_session_ends_with_its_key_and_cannot_be_made_up(
    client: TestClient, store: Store, settings: Settings
) -> None:
    key_id, key = store.keys.create("test", ["read"])
    client.post("/v1/session", headers={"Authorization": f"Bearer {key}"})
    assert client.get("/v1/diagnoses").status_code == 200
    store.keys.revoke(key_id)
    assert code(client.get("/v1/diagnoses")) == (401, "key-invalid")
    secret = open_secret(settings)
    cookie = sessions.create(secret, key_id)
    assert sessions.read(secret, cookie) is not None
    for forged in (cookie[:-1], cookie.replace(key_id, "0" * 16), "", "a.b", "a.b.c.d"):
        assert sessions.read(secret, forged) is None


def test_other_origins_are_let_in_only_where_the_settings_say_so(store: Store, settings: Settings) -> None:
    asked = {"Origin": "https://ci.example", "Access-Control-Request-Method": "POST"}
    with TestClient(create_app(settings)) as closed:
        assert "access-control-allow-origin" not in closed.options("/v1/diagnoses", headers=asked).headers
    opened = settings.model_copy(update={"cors_origins": "https://ci.example, https://b.example"})
    with TestClient(create_app(opened)) as client:
        answer = client.options("/v1/diagnoses", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://ci.example"
        other = client.options("/v1/diagnoses", headers=asked | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_listening_to_the_network_wants_keys_and_a_secret_that_cannot_be_guessed(settings: Settings) -> None:
    public = settings.model_copy(update={"host": "0.0.0.0"})  # noqa: S104 - what is refused
    with pytest.raises(RefusedError, match="unstuck keys create"):
        check(public, keys=False)
    check(public, keys=True)
    check(public.model_copy(update={"allow_unauthenticated": True}), keys=False)
    check(settings, keys=False)
    with pytest.raises(RefusedError, match="32 characters"):
        check(settings.model_copy(update={"secret": "short"}), keys=False)


def test_one_secret_in_every_process(settings: Settings, store: Store) -> None:
    first, second = open_secret(settings), open_secret(settings)
    assert first.of_webhooks("k") == second.of_webhooks("k") != first.of_webhooks("other")
    assert first.of_webhooks("k").startswith("whsec_")
    assert (settings.data / "secret").stat().st_mode & 0o077 == 0
    assert not first.signed("csrf", "x", first.sign("session", "x"))

"""Webhooks: what is sent, how it is signed, where it may go; received by a real server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from analyzers.options import Options
from app.errors import Problem
from app.secret import Secret
from app.settings import Settings
from app.store import Store
from app.store.jobs import Bounds, Submission
from app.webhooks import addresses, sender
from app.webhooks.addresses import RefusedAddressError
from app.webhooks.courier import Courier
from app.webhooks.sender import Sender
from tests.app.server import closed_port
from tests.reports import factory
from tests.waiting import join, until

SECRET = Secret("s" * 32)


class Receiver(ThreadingHTTPServer):
    """Remembers what it is sent, and answers as told; ``endless``: a byte now and then until it is released."""

    def __init__(self, *, endless: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.released = threading.Event()
        if not endless:
            self.released.set()
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}/hook?x=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        with suppress(OSError):
            self._answer()

    def _answer(self) -> None:
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.flush_headers()
        while not self.server.released.wait(0.02):
            self.wfile.write(b"X: x\r\n")
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Keep quiet."""


@contextmanager
def receiving(*, endless: bool = False) -> Iterator[Receiver]:
    server = Receiver(endless=endless)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def end_job(store: Store, url: str, problem: Problem | None = None) -> str:
    with store.blobs.incoming() as incoming:
        incoming.write(b"model")
        submission = Submission("m.h5", Options(), owner="k", callback_url=url, reuse=False)
        job = store.jobs.submit(incoming, submission, Bounds(10, 10, None))
    claimed = store.leases.claim(job.id, "w", lease_s=10)
    assert claimed is not None
    if problem is None:
        store.leases.succeed(claimed[0], factory.report().model_copy(update={"id": job.id}), None)
    else:
        store.leases.fail(claimed[0], problem)
    return job.id


def deliver(store: Store, settings: Settings, *, private: bool) -> None:
    chosen = settings.model_copy(update={"webhook_private": private})
    Courier(store.deliveries, Sender(chosen, SECRET), threading.Event()).deliver()


def test_an_end_is_told_once_and_signed(store: Store, settings: Settings, receiver: Receiver) -> None:
    job_id = end_job(store, receiver.url)
    deliver(store, settings, private=True)
    deliver(store, settings, private=True)
    ((headers, body),) = receiver.received
    assert headers["host"] == f"localhost:{receiver.server_port}"
    message = Webhook(SECRET.of_webhooks("k")).verify(body, headers)
    assert message["type"] == "diagnosis.succeeded"
    assert message["data"]["id"] == job_id
    assert message["data"]["verdict"] == factory.report().verdict
    for secret, content in ((SECRET.of_webhooks("other"), body), (SECRET.of_webhooks("k"), body + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(content, headers)
    (delivery,) = store.deliveries.of_job(job_id)
    assert (delivery.status, delivery.attempts, delivery.answer) == ("delivered", 1, "status 204")
    assert headers["webhook-id"] == delivery.id


def test_a_failure_is_told_too(store: Store, settings: Settings, receiver: Receiver) -> None:
    end_job(store, receiver.url, Problem("no-layers"))
    deliver(store, settings, private=True)
    message = json.loads(receiver.received[0][1])
    assert (message["type"], message["data"]["error"]["code"]) == ("diagnosis.failed", "no-layers")


@pytest.mark.parametrize("answer", [500, 404, 302])
def test_what_is_not_taken_is_tried_again_later_and_redirects_lead_nowhere(
    store: Store, settings: Settings, receiver: Receiver, answer: int
) -> None:
    receiver.answers = [answer]
    job_id = end_job(store, receiver.url)
    deliver(store, settings, private=True)
    (delivery,) = store.deliveries.of_job(job_id)
    assert (delivery.status, delivery.attempts, delivery.answer) == ("pending", 1, f"status {answer}")
    assert len(receiver.received) == 1


def test_nobody_at_home_is_tried_again_later(store: Store, settings: Settings) -> None:
    with closed_port() as port:
        job_id = end_job(store, f"http://127.0.0.1:{port}/")
        deliver(store, settings, private=True)
    assert store.deliveries.of_job(job_id)[0].answer == "ConnectError"


def test_a_receiver_whose_answer_never_ends_is_left(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_ATTEMPT_S", 0.3)
    with receiving(endless=True) as slow:
        job_id = end_job(store, slow.url)
        deliver(store, settings, private=True)
    (delivery,) = store.deliveries.of_job(job_id)
    assert (delivery.status, delivery.answer) == ("pending", "no answer in time")


def test_a_slow_receiver_holds_up_only_its_own_messages(
    store: Store, settings: Settings, receiver: Receiver
) -> None:
    with receiving(endless=True) as slow:
        held = [end_job(store, slow.url.replace("localhost", "127.0.0.1")) for _ in range(2)]
        other = end_job(store, receiver.url)
        thread = threading.Thread(target=deliver, args=(store, settings), kwargs={"private": True})
        thread.start()
        until(lambda: store.deliveries.of_job(other)[0].status == "delivered")
        until(lambda: slow.received)
        assert len(slow.received) == 1, "one message at a time"
        slow.released.set()
        join(thread)
        assert [store.deliveries.of_job(job_id)[0].status for job_id in held] == ["delivered"] * 2


def test_our_own_network_is_not_reached(store: Store, settings: Settings, receiver: Receiver) -> None:
    job_id = end_job(store, receiver.url)
    deliver(store, settings, private=False)
    assert receiver.received == []
    assert store.deliveries.of_job(job_id)[0].answer == "the address is not a public one"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1",
        "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fd00::1]",
        "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:7f00:1::]", "[ff02::1]", "localhost",
        "[fec0::1]", "[feff::1]", "[64:ff9b:1::a00:1]", "[64:ff9b:1:ffff::1]", "[::7f00:1]", "[::10.0.0.1]",
    ],
)  # fmt: skip
def test_addresses_inside_are_refused_however_they_are_written(host: str) -> None:
    with pytest.raises(RefusedAddressError):
        addresses.resolve(f"http://{host}/", private=False)


def test_a_public_address_is_connected_to_as_it_was_checked() -> None:
    assert addresses.resolve("https://[2606:4700::1]:8443/x", private=False).address == "2606:4700::1"
    target = addresses.resolve("https://1.1.1.1/hook", private=False)
    assert (target.address, target.port, target.host) == ("1.1.1.1", 443, "1.1.1.1")

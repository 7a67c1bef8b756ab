"""Delivers webhook messages, several at a time, so that a slow receiver holds up nobody's but its own."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final

from app.store.deliveries import DeliveryStore, Due
from app.webhooks.sender import Sender

AT_ONCE: Final = 8
"""Messages that are being sent at a time, each to another host."""
_LOOK_S: Final = 1.0
"""Seconds between two looks for messages that are due while others are being sent."""


class Courier:
    """Delivers messages.

    Args:
        deliveries: the messages.
        sender: sends one.
        stopping: set when no more are to be sent.
    """

    def __init__(self, deliveries: DeliveryStore, sender: Sender, stopping: threading.Event) -> None:
        self._deliveries = deliveries
        self._sender = sender
        self._stopping = stopping

    def deliver(self) -> None:
        """Send every message that is due, at most one at a time to a host; returns when none is left."""
        sending: dict[Future[None], str] = {}
        with ThreadPoolExecutor(AT_ONCE, "webhook") as pool:
            while True:
                while len(sending) < AT_ONCE and (due := self._next(sending.values())) is not None:
                    sending[pool.submit(self._send, due)] = due.host
                if not sending:
                    return
                for ended in wait(sending, _LOOK_S, FIRST_COMPLETED).done:
                    del sending[ended]
                    ended.result()

    def _next(self, busy: Collection[str]) -> Due | None:
        return None if self._stopping.is_set() else self._deliveries.claim(busy)

    def _send(self, due: Due) -> None:
        answer, delivered = self._sender.send(due)
        self._deliveries.settle(due.id, answer, delivered=delivered)

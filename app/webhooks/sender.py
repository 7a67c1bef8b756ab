"""Sends one webhook message, signed as Standard Webhooks has it (https://www.standardwebhooks.com)."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from standardwebhooks import Webhook

from app.secret import Secret
from app.settings import Settings
from app.store.deliveries import Due
from app.store.tables import Job
from app.webhooks.addresses import RefusedAddressError, Target, resolve

_TIMEOUT: Final = httpx2.Timeout(15.0, connect=5.0)
_ATTEMPT_S: Final = 20.0
"""Seconds that an attempt may take as a whole, however lively the receiver is."""


class Sender:
    """Sends messages.

    Args:
        settings: whether private addresses are taken.
        secret: from which the signatures' secrets are derived.
    """

    def __init__(self, settings: Settings, secret: Secret) -> None:
        self._private = settings.webhook_private
        self._secret = secret

    def send(self, due: Due) -> tuple[str, bool]:
        """Send a message once: what came of it, in words, and whether it was taken.

        Only an answer of 2xx counts; redirects are not followed, and no more is read of the answer.
        """
        ends = time.monotonic() + _ATTEMPT_S
        try:
            target = resolve(due.url, private=self._private)
        except RefusedAddressError as error:
            return str(error), False
        try:
            status = asyncio.run(asyncio.wait_for(self._post(due, target), ends - time.monotonic()))
        except TimeoutError:
            return "no answer in time", False
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return type(error).__name__, False
        return f"status {status}", 200 <= status < 300

    async def _post(self, due: Due, target: Target) -> int:
        parts = urlsplit(due.url)
        host = f"[{target.address}]" if ":" in target.address else target.address
        url = parts._replace(netloc=f"{host}:{target.port}", fragment="").geturl()
        body = json.dumps(message(due.job), separators=(",", ":"))
        now = datetime.now(UTC)
        signature = Webhook(self._secret.of_webhooks(due.job.owner)).sign(due.id, now, body)
        headers = {
            "Content-Type": "application/json",
            "Host": parts.netloc,
            "User-Agent": "unstuck",
            "webhook-id": due.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        extensions = {"sni_hostname": target.host}
        async with (
            httpx2.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client,
            client.stream("POST", url, content=body, headers=headers, extensions=extensions) as response,
        ):
            return response.status_code


def message(job: Job) -> dict[str, Any]:
    """What is said about a job's end: enough to decide whether to fetch the report."""
    report = json.loads(job.report) if job.report is not None else None
    return {
        "type": f"diagnosis.{job.status}",
        "timestamp": datetime.fromtimestamp(job.finished_at or job.created_at, UTC).isoformat(),
        "data": {
            "id": job.id,
            "status": job.status,
            "file_name": job.file_name,
            "sha256": job.sha256,
            "verdict": None if report is None else report["verdict"],
            "summary": None if report is None else report["summary"],
            "error": job.error,
            "report": f"/v1/diagnoses/{job.id}/report",
        },
    }

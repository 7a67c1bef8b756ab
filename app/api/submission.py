"""From a request with a file to a job: bounds, upload, options, and the same request sent twice."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool

from app.api import options, uploads
from app.errors import Problem
from app.failures import log_failure
from app.settings import Settings
from app.store import Store
from app.store.blobs import Incoming
from app.store.jobs import Bounds, Submission
from app.store.requests import STALE_S, Idempotency
from app.store.tables import IdempotentRequest, Job

_RENEW_S: Final = STALE_S / 5


@dataclass(frozen=True)
class Wanted:
    """What a request says beside its form.

    Attributes:
        owner: id of the caller's key.
        interactive: somebody is waiting.
        reuse: whether a stored report will do.
        idempotency_key: what makes it the same as another request, if it says so.
    """

    owner: str
    interactive: bool
    reuse: bool
    idempotency_key: str | None


async def submit(request: Request, wanted: Wanted, store: Store, settings: Settings) -> Job:
    """Receive a request's file and put its job into the queue.

    Raises:
        Problem: the request, its file or its options cannot be taken, or there is no room for them.
    """
    bounds = Bounds(settings.queue_size, settings.key_jobs, settings.disk_bytes)
    async with _once(store, wanted) as earlier:
        if earlier is None:
            await run_in_threadpool(store.jobs.check, wanted.owner, bounds)
        coming = uploads.declared_bytes(request)
        with (
            await run_in_threadpool(store.jobs.reserve, bounds, coming) as room,
            store.blobs.incoming() as incoming,
        ):
            form = await uploads.receive(request, incoming, room, settings)
            submission = _submission(request, wanted, form, incoming)
            if earlier is not None:
                return await run_in_threadpool(_repeated, store, earlier, submission)
            await run_in_threadpool(store.blobs.stage, incoming)
            return await run_in_threadpool(store.jobs.submit, incoming, submission, bounds)


def _submission(request: Request, wanted: Wanted, form: uploads.Form, incoming: Incoming) -> Submission:
    callback_url = options.take_callback(form.fields)
    chosen = options.parse(form.fields)
    idempotency = None
    if wanted.idempotency_key is not None:
        asked = [incoming.sha256, chosen.model_dump(mode="json"), callback_url]
        fingerprint = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        idempotency = Idempotency(wanted.idempotency_key, fingerprint)
    return Submission(
        file_name=form.file_name or "model",
        options=chosen,
        owner=wanted.owner,
        callback_url=callback_url,
        interactive=wanted.interactive,
        reuse=wanted.reuse,
        request_id=request.state.request_id,
        idempotency=idempotency,
    )


@asynccontextmanager
async def _once(store: Store, wanted: Wanted) -> AsyncIterator[IdempotentRequest | None]:
    """Keep a request's key for the block; the earlier request of that key, if it became a job.

    The key is renewed while the block runs; a block that fails gives it back, so that the request may be sent
    again.
    """
    if wanted.idempotency_key is None:
        yield None
        return
    place = (wanted.owner, wanted.idempotency_key)
    earlier = await run_in_threadpool(store.requests.begin, *place)
    if earlier is not None:
        yield earlier
        return
    renewing = asyncio.create_task(_renew(store, *place))
    try:
        yield None
    except BaseException:
        await run_in_threadpool(store.requests.undo, *place)
        raise
    finally:
        renewing.cancel()
        await asyncio.wait([renewing])


async def _renew(store: Store, owner: str, key: str) -> None:
    """Keep a key from being taken for a request that was cut off."""
    while True:
        await asyncio.sleep(_RENEW_S)
        try:
            await run_in_threadpool(store.requests.renew, owner, key)
        except DBAPIError as error:
            log_failure("an Idempotency-Key could not be renewed", error)


def _repeated(store: Store, earlier: IdempotentRequest, submission: Submission) -> Job:
    """The job that an earlier request of the same key became."""
    if submission.idempotency is None or submission.idempotency.fingerprint != earlier.fingerprint:
        raise Problem("idempotency-mismatch")
    return store.jobs.get(earlier.job_id or "", submission.owner)

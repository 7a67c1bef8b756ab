"""The web application.  It never opens a model file, and imports neither TensorFlow nor h5py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from analyzers.version import VERSION
from app import telemetry
from app.api import catalogue, diagnoses, health, metrics, problems, signing_in
from app.api.ascii import AsciiJSONResponse
from app.api.following import Following
from app.api.metrics import Metrics
from app.api.middleware import Surroundings
from app.api.rates import Rates
from app.jobs.attendance import Attendance
from app.jobs.housekeeping import Housekeeper
from app.queue import open_queue
from app.secret import open_secret
from app.settings import Settings
from app.store import open_store
from app.web import pages
from app.webhooks.sender import Sender

_DESCRIPTION = """\
Send a saved Keras model that will not train; get the reason, and the smallest change that was shown
to make it converge. Errors are RFC 9457 problem documents with a stable `code`."""


def create_app(settings: Settings) -> FastAPI:
    """The application on a data folder whose database is up to date."""
    store = open_store(settings)
    queue = open_queue(settings, store)
    secret = open_secret(settings)
    attendance = Attendance(store.workers)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with Housekeeper(settings, store, queue, Sender(settings, secret), attendance):
            yield
        store.database.close()

    app = FastAPI(
        title="unstuck",
        version=VERSION,
        description=_DESCRIPTION,
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        lifespan=lifespan,
        default_response_class=AsciiJSONResponse,
        responses=problems.responses("invalid-request", "internal-error", "unavailable"),
    )
    app.state.settings = settings
    app.state.store = store
    app.state.queue = queue
    app.state.secret = secret
    app.state.following = Following(store.jobs)
    app.state.rates = Rates(settings)
    app.state.attendance = attendance
    app.state.metrics = Metrics(store, attendance)
    problems.install(app)
    if origins := [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Cache-Control", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=["Location", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(Surroundings, metrics=app.state.metrics)
    for module in (diagnoses, catalogue, health, metrics, signing_in, pages):
        app.include_router(module.router)
    telemetry.watch(app)
    return app

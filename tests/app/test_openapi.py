"""Requests made up from our own OpenAPI description, good and bad: none may be answered with a server error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema

from analyzers.options import Options
from app.errors import PROBLEM_JSON
from app.main import create_app
from app.settings import Settings
from app.store import Store, open_store
from app.store.jobs import ANYBODY, Bounds, Submission
from app.store.keys import SCOPES
from tests.reports import factory

NOT_READY = "/readyz"
"""Says 503 while no worker runs, as here."""
EXAMPLES = 12


@dataclass
class Caller:
    """Who calls which service.

    Attributes:
        known: whether what needs a key is for this caller.
        owner: whose jobs these are.
        headers: what every request carries.
    """

    app: FastAPI
    store: Store
    known: bool = True
    owner: str = ANYBODY
    headers: dict[str, str] | None = None

    def diagnosis(self) -> str:
        """The id of a diagnosis of this caller's that has ended with a report and a repaired model."""
        with self.store.blobs.incoming() as incoming, self.store.blobs.incoming() as repaired:
            incoming.write(b"model")
            submission = Submission("m.h5", Options(), owner=self.owner, reuse=False)
            job = self.store.jobs.submit(incoming, submission, Bounds(10_000, 10_000, None))
            claimed = self.store.leases.claim(job.id, "w", lease_s=60)
            assert claimed is not None
            repaired.write(b"repaired")
            self.store.leases.succeed(claimed[0], factory.report(), repaired)
        return job.id


@pytest.fixture(params=["of an open service", "with a key", "without a key"])
def caller(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Caller]:
    chosen = Settings(data=tmp_path_factory.mktemp("data"), wait_s=0.05, queue_size=10_000)
    store = open_store(chosen)
    store.database.migrate()
    found = Caller(create_app(chosen), store)
    if request.param != "of an open service":
        found.owner, key = store.keys.create("k", SCOPES)
        found.known = request.param == "with a key"
        found.headers = {"Authorization": f"Bearer {key}" if found.known else ""}
    yield found
    store.database.close()


def operations(app: FastAPI) -> list[APIOperation[Any, Any, Any, Any]]:
    """Every operation of the description."""
    schema: BaseSchema = schemathesis.openapi.from_asgi("/v1/openapi.json", app)
    results = list(schema.get_all_operations())
    found = [result.ok() for result in results if isinstance(result, Ok)]
    described = app.openapi()["paths"].values()
    assert len(found) == len(results) == sum(len(methods) for methods in described)
    return found


def try_out(operation: APIOperation[Any, Any, Any, Any], caller: Caller) -> None:
    """Send made-up requests of one operation, some of them about a diagnosis that there is."""
    diagnosis = caller.diagnosis()
    guarded = "401" in operation.definition.raw["responses"]

    @given(case=operation.as_strategy(), there=st.booleans())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def answer(case: schemathesis.Case[Any], there: bool) -> None:
        if there and "job_id" in case.path_parameters:
            case.path_parameters["job_id"] = diagnosis
        response = case.call(headers=caller.headers)
        if case.path == NOT_READY:
            return
        assert response.status_code < 500, f"{operation.label}: {response.text}"
        if response.status_code >= 400:
            assert response.headers["content-type"] == [PROBLEM_JSON], operation.label
        if guarded and not caller.known:
            assert response.status_code >= 400, operation.label

    answer()


def test_no_request_makes_the_service_fail(caller: Caller) -> None:
    for operation in operations(caller.app):
        try_out(operation, caller)

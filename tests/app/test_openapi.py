"""Requests made up from our own OpenAPI description, good and bad: none may be answered with a server error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema

from app.errors import PROBLEM_JSON
from app.main import create_app
from app.settings import Settings
from app.store import open_store

NOT_READY = "/readyz"
"""Says 503 while no worker runs, as here."""
EXAMPLES = 12


@pytest.fixture
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    chosen = Settings(data=tmp_path_factory.mktemp("data"), wait_s=0.05, queue_size=10_000)
    store = open_store(chosen)
    store.database.migrate()
    yield schemathesis.openapi.from_asgi("/v1/openapi.json", create_app(chosen))
    store.database.close()


def try_out(operation: APIOperation[Any, Any, Any, Any]) -> None:
    """Send made-up requests of one operation."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def answer(case: schemathesis.Case[Any]) -> None:
        response = case.call()
        if case.path == NOT_READY:
            return
        assert response.status_code < 500, f"{operation.label}: {response.text}"
        if response.status_code >= 400:
            assert response.headers["content-type"] == [PROBLEM_JSON], operation.label

    answer()


def test_no_request_makes_the_service_fail(api: BaseSchema) -> None:
    results = list(api.get_all_operations())
    operations = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(operations) == len(results)
    assert len(operations) > 12
    for operation in operations:
        try_out(operation)

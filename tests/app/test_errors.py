from __future__ import annotations

from pathlib import Path

from analyzers.errors import INPUT_ERRORS, InputError
from app.errors import CATALOGUE, Problem

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"


def test_every_code_is_documented_as_the_catalogue_says() -> None:
    rows = "".join(f"| `{code}` | {entry.status} | {entry.kind} |\n" for code, entry in CATALOGUE.items())
    assert rows in DOCUMENT.read_text()


def test_every_input_error_is_a_problem_of_the_file() -> None:
    for code in INPUT_ERRORS:
        problem = Problem.from_input_error(InputError(code, "seen"))
        assert problem.document() == {
            "type": f"urn:unstuck:problem:{code}",
            "title": INPUT_ERRORS[code],
            "status": 422,
            "code": code,
            "kind": "input",
            "detail": "seen",
        }

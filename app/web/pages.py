"""The upload page, the report page and their static files.

The server renders the frame; the scripts in ``static/js`` talk to the API under ``/v1`` like any other
client.  Pages carry no inline script or style, so the policy they are served with allows none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, get_args

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from analyzers.options import InputRange, Options, TaskName
from app.reports.formats import Format

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a page may load: our own files, nothing inline, nothing from elsewhere."""

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

FORMAT_LABELS: Final[dict[Format, str]] = {
    "html": "HTML",
    "markdown": "Markdown",
    "json": "JSON",
    "sarif": "SARIF",
    "junit": "JUnit",
    "text": "Text",
}

COMMON_LOSSES: Final = (
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "binary_crossentropy",
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
)
COMMON_OPTIMIZERS: Final = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Nadam", "Lion")
"""Suggestions; the form takes any name that Keras has."""

router = APIRouter(include_in_schema=False)
router.mount(
    "/static",
    StaticFiles(directory=Path(__file__).parent / "static", packages=[("app.reports", "static")]),
    name="static",
)

_templates = Jinja2Templates(
    env=Environment(
        loader=PackageLoader("app.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
)


@router.get("/", response_class=HTMLResponse)
def upload_page(request: Request) -> HTMLResponse:
    """The page that takes a model."""
    context = {
        "defaults": Options(),
        "input_ranges": get_args(InputRange),
        "tasks": get_args(TaskName),
        "losses": COMMON_LOSSES,
        "optimizers": COMMON_OPTIMIZERS,
    }
    return _templates.TemplateResponse(request, "upload.html", context, headers=HEADERS)


@router.get("/diagnoses/{diagnosis_id}", response_class=HTMLResponse)
def report_page(request: Request, diagnosis_id: str) -> HTMLResponse:
    """The page of one diagnosis: its progress while it runs, then its report."""
    context = {"diagnosis_id": diagnosis_id, "formats": FORMAT_LABELS}
    return _templates.TemplateResponse(request, "diagnosis.html", context, headers=HEADERS)

"""The formats of a report.  Renderers see the report and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from analyzers.report import Report
from app.reports import html, json, junit, markdown, sarif, text

Format = Literal["json", "html", "markdown", "sarif", "junit", "text"]

RENDERERS: Final[Mapping[Format, Callable[[Report], str]]] = {
    "json": json.render,
    "html": html.render,
    "markdown": markdown.render,
    "sarif": sarif.render,
    "junit": junit.render,
    "text": text.render,
}

MEDIA_TYPES: Final[Mapping[Format, str]] = {
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "sarif": "application/sarif+json",
    "junit": "application/xml",
    "text": "text/plain; charset=utf-8",
}


def render(report: Report, format: Format) -> str:  # noqa: A002 - the name the API uses
    """The report in ``format``.  The same report gives the same text."""
    return RENDERERS[format](report)

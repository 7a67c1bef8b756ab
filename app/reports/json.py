"""The report as JSON: what the API and the schema speak of."""

from __future__ import annotations

import json

from analyzers.report import Report
from app.reports import clean


def render(report: Report) -> str:
    """Strict JSON (neither NaN nor infinity), ASCII only, so that no name can act on a terminal."""
    return json.dumps(clean.plain_json(report.model_dump()), indent=2, allow_nan=False) + "\n"

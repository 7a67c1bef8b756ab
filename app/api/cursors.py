"""A place in a list as the opaque text that callers send back."""

from __future__ import annotations

import base64
import json

from app.errors import FieldError, Problem
from app.store.jobs import Cursor


def write(cursor: Cursor) -> str:
    """A cursor as text."""
    plain = json.dumps([cursor.created_at, cursor.job_id]).encode()
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def read(text: str) -> Cursor:
    """The cursor that a text is.

    Raises:
        Problem: ``invalid-request``.
    """
    try:
        created_at, job_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return Cursor(float(created_at), str(job_id))
    except (ValueError, TypeError) as error:
        raise Problem(
            "invalid-request", errors=[FieldError(field="cursor", message="is no cursor of ours")]
        ) from error

"""Form fields as options of a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from analyzers.options import Options
from app.api.problems import invalid_options
from app.errors import FieldError, Problem
from app.webhooks.addresses import RefusedAddressError, check

CALLBACK_FIELD: Final = "callback_url"
_CALLBACK_MAX: Final = 2000


def take_callback(fields: dict[str, str]) -> str | None:
    """Take the webhook's address out of a form; None where there is none.

    Raises:
        Problem: ``invalid-options``.
    """
    url = fields.pop(CALLBACK_FIELD, "").strip()
    if not url:
        return None
    try:
        if len(url) > _CALLBACK_MAX:
            raise RefusedAddressError("too long")
        check(url)
    except RefusedAddressError as error:
        raise Problem(
            "invalid-options", errors=[FieldError(field=CALLBACK_FIELD, message=str(error))]
        ) from error
    return url


def parse(fields: Mapping[str, str]) -> Options:
    """The options that a form says; an empty field counts as not sent.

    Raises:
        Problem: ``invalid-options``.
    """
    values: dict[str, object] = {name: text.strip() for name, text in fields.items() if text.strip()}
    if isinstance(ignored := values.get("ignore"), str):
        values["ignore"] = tuple(rule.strip() for rule in ignored.split(",") if rule.strip())
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        raise invalid_options(error) from error

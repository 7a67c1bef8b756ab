"""What a file's first bytes say.  Enough to refuse what is no Keras model; the rest is the reader's."""

from __future__ import annotations

from typing import Final

from analyzers import container
from analyzers.errors import InputError
from app.errors import Problem

HEAD_BYTES: Final = container.HEAD_BYTES


def check(head: bytes) -> None:
    """Refuse what cannot be a model file.

    Args:
        head: the file's first `HEAD_BYTES` bytes, or all of a shorter one.

    Raises:
        Problem: with status 415; its code says what the file is, where that is known.
    """
    try:
        container.of(head)
    except InputError as error:
        raise Problem(error.code, error.detail, status=415) from error

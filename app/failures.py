"""What made a step fail that will be tried again, as the log tells it."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import DBAPIError

from app.store.blobs import BlobsAwayError


def log_failure(event: str, error: Exception) -> None:
    """Log why a step failed: a database or bucket that is away needs no trace."""
    if isinstance(error, DBAPIError):
        structlog.get_logger().warning(event, error=f"the database does not answer: {error.orig}")
    elif isinstance(error, BlobsAwayError):
        structlog.get_logger().warning(event, error=f"the bucket does not answer: {error}")
    else:
        structlog.get_logger().error(event, exc_info=error)

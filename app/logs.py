"""The service's log: one line an event on standard error, JSON unless a person is watching."""

from __future__ import annotations

import sys

import structlog
from sqlalchemy.exc import DBAPIError

from app.store.blobs import BlobsAwayError


def configure() -> None:
    """Set up structlog for this process."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def log_failure(event: str, error: Exception) -> None:
    """Log what made a step fail that will be tried again: a database or bucket that is away needs no trace."""
    if isinstance(error, DBAPIError):
        structlog.get_logger().warning(event, error=f"the database does not answer: {error.orig}")
    elif isinstance(error, BlobsAwayError):
        structlog.get_logger().warning(event, error=f"the bucket does not answer: {error}")
    else:
        structlog.get_logger().error(event, exc_info=error)

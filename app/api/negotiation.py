"""Which format of a report a request wants."""

from __future__ import annotations

from typing import Final

from app.errors import Problem
from app.reports.formats import MEDIA_TYPES, Format

_ANY: Final = ("", "*/*", "application/*")


def media_type(chosen: Format) -> str:
    """The media type of a format."""
    return MEDIA_TYPES[chosen]


def wanted(accept: str) -> Format:
    """The format that an ``Accept`` header prefers among ours; JSON where it takes anything.

    Raises:
        Problem: ``not-acceptable``.
    """
    ours: dict[str, Format] = {media.partition(";")[0]: name for name, media in MEDIA_TYPES.items()}
    for media in _by_preference(accept):
        if media in _ANY:
            return "json"
        if media in ours:
            return ours[media]
        if media == "text/*":
            return "text"
    raise Problem("not-acceptable")


def _by_preference(accept: str) -> list[str]:
    weighed: list[tuple[float, str]] = []
    for part in accept.split(","):
        media, _, parameters = part.partition(";")
        quality = 1.0
        for parameter in parameters.split(";"):
            name, _, value = parameter.strip().partition("=")
            if name == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if quality > 0:
            weighed.append((quality, media.strip().lower()))
    return [media for _, media in sorted(weighed, key=lambda pair: -pair[0])]

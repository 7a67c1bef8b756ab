"""Lanes: jobs that must not wait for one another.

A static report takes a second, a probe minutes; with a lane each, the first never waits for the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from analyzers.options import Options

Lane = Literal["probe", "static"]
LANES: tuple[Lane, ...] = get_args(Lane)


def lane_of(options: Options) -> Lane:
    """The lane of a job with these options."""
    return "static" if options.probe == "off" else "probe"

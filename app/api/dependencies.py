"""What routes ask for: the store, the queue, the settings and so on of the app that serves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from app.api.following import Following
from app.jobs.attendance import Attendance
from app.queue import JobQueue
from app.settings import Settings
from app.store import Store


def _kept(name: str) -> Callable[[Request], Any]:
    """A dependency that gives what the app keeps under a name."""

    def found(request: Request) -> Any:
        return getattr(request.app.state, name)

    return found


SettingsOf = Annotated[Settings, Depends(_kept("settings"))]
StoreOf = Annotated[Store, Depends(_kept("store"))]
QueueOf = Annotated[JobQueue, Depends(_kept("queue"))]
FollowingOf = Annotated[Following, Depends(_kept("following"))]
AttendanceOf = Annotated[Attendance, Depends(_kept("attendance"))]

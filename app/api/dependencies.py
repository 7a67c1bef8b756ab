"""What routes ask for: the store, the queue, the settings and so on of the app that serves them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from app.api.following import Following
from app.jobs.attendance import Attendance
from app.queue import JobQueue
from app.settings import Settings
from app.store import Store


def _settings(request: Request) -> Settings:
    found: Settings = request.app.state.settings
    return found


def _store(request: Request) -> Store:
    found: Store = request.app.state.store
    return found


def _queue(request: Request) -> JobQueue:
    found: JobQueue = request.app.state.queue
    return found


def _following(request: Request) -> Following:
    found: Following = request.app.state.following
    return found


def _attendance(request: Request) -> Attendance:
    found: Attendance = request.app.state.attendance
    return found


SettingsOf = Annotated[Settings, Depends(_settings)]
StoreOf = Annotated[Store, Depends(_store)]
QueueOf = Annotated[JobQueue, Depends(_queue)]
FollowingOf = Annotated[Following, Depends(_following)]
AttendanceOf = Annotated[Attendance, Depends(_attendance)]

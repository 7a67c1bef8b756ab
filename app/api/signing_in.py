"""The routes of browser sessions: sign in with an API key, ask who is signed in, sign out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api import models, problems, sessions
from app.api.access import Caller, CallerOf

router = APIRouter(prefix="/v1/session", tags=["session"])


@router.post("", responses=problems.responses("key-missing", "key-invalid"))
def sign_in(request: Request, response: Response, caller: CallerOf) -> models.SessionModel:
    """Begin a browser session for the API key in `Authorization`; the answer sets its cookie."""
    cookie = sessions.create(request.app.state.secret, caller.owner)
    response.set_cookie(
        sessions.COOKIE,
        cookie,
        max_age=sessions.SESSION_S,
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="strict",
    )
    return _session(request, caller, cookie)


@router.get("", responses=problems.responses("key-missing", "key-invalid"))
def get_session(request: Request, caller: CallerOf) -> models.SessionModel:
    """Who is calling, and the CSRF token of their session."""
    return _session(request, caller, caller.session)


@router.delete(
    "", status_code=204, responses=problems.responses("key-missing", "key-invalid", "csrf-token-invalid")
)
def sign_out(_: CallerOf) -> Response:
    """End a browser session."""
    response = Response(status_code=204)
    response.delete_cookie(sessions.COOKIE, httponly=True, samesite="strict")
    return response


def _session(request: Request, caller: Caller, cookie: str | None) -> models.SessionModel:
    return models.SessionModel(
        name=caller.name,
        scopes=sorted(caller.scopes),
        csrf_token=None if cookie is None else sessions.token(request.app.state.secret, cookie),
    )

"""Who is calling, and what they may do.

The service is open while no API key was ever made: everybody is the same caller, and only loopback is
listened to.  From the first key on, a caller sends one as ``Authorization: Bearer``, or a browser's
session cookie that was given for one, and sees only what that key has sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from app.api import sessions
from app.api.dependencies import StoreOf
from app.api.rates import Rates
from app.errors import Problem
from app.secret import Secret
from app.store import Store
from app.store.jobs import ANYBODY
from app.store.keys import SCOPES, Scope
from app.store.tables import Job

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="unstuck"'}
CSRF_HEADER: Final = "x-csrf-token"

_bearer: Final = HTTPBearer(auto_error=False, description="An API key.")
_cookie: Final = APIKeyCookie(
    name=sessions.COOKIE,
    auto_error=False,
    description="A browser's session; unsafe methods want its CSRF token.",
)


@dataclass(frozen=True)
class Caller:
    """Who is calling.

    Attributes:
        owner: id of their key.
        name: what the key is called.
        scopes: what they may do.
        session: the cookie by which they came, if they did not send the key itself.
    """

    owner: str
    name: str
    scopes: frozenset[Scope]
    session: str | None = None


def _caller(
    request: Request,
    store: StoreOf,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Caller:
    """Who is calling; 401 where that must be known and is not."""
    secret: Secret = request.app.state.secret
    if bearer is not None:
        return _of_key(store, bearer.credentials)
    if not store.keys.exist():
        return Caller(ANYBODY, "", frozenset(SCOPES))
    if cookie is None:
        raise Problem("key-missing", headers=_CHALLENGE)
    session = sessions.read(secret, cookie)
    row = None if session is None else store.keys.valid(session.key_id)
    if row is None:
        raise Problem("key-invalid", headers=_CHALLENGE)
    if request.method not in _SAFE and not sessions.is_token(
        secret, cookie, request.headers.get(CSRF_HEADER, "")
    ):
        raise Problem("csrf-token-invalid")
    return Caller(row.id, row.name, frozenset(row.scopes), cookie)  # type: ignore[arg-type]  # stored as text


def _of_key(store: Store, presented: str) -> Caller:
    row = store.keys.verify(presented)
    if row is None:
        raise Problem("key-invalid", headers=_CHALLENGE)
    return Caller(row.id, row.name, frozenset(row.scopes))  # type: ignore[arg-type]  # stored as text


CallerOf = Annotated[Caller, Depends(_caller)]


def _having(scope: Scope) -> Callable[..., Any]:
    def allowed(request: Request, caller: CallerOf) -> Caller:
        rates: Rates = request.app.state.rates
        rates.spend("requests", caller.owner)
        if scope not in caller.scopes:
            raise Problem("scope-missing", scope)
        return caller

    return allowed


Reader = Annotated[Caller, Depends(_having("read"))]
"""A caller who may look at diagnoses."""
Writer = Annotated[Caller, Depends(_having("write"))]
"""A caller who may send and erase diagnoses."""
Scraper = Annotated[Caller, Depends(_having("metrics"))]
"""A caller who may read the metrics."""


def _job(job_id: str, store: StoreOf, caller: Reader) -> Job:
    return store.jobs.get(job_id, caller.owner)


JobOf = Annotated[Job, Depends(_job)]
"""The job that the path names; 404 where there is none, or it is somebody else's."""

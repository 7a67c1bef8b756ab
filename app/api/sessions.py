"""Browser sessions on top of API keys: a signed cookie that no script can read, and a token against CSRF.

Nothing is stored: the cookie says which key it was given for and until when, and its key is looked up at
every request, so revoking a key ends its sessions.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Final

from app.secret import Secret

COOKIE: Final = "unstuck_session"
SESSION_S: Final = 12 * 3600
"""Seconds that a session lasts."""


@dataclass(frozen=True)
class Session:
    """What a cookie says: the key that it was given for, and when it ends (seconds since the epoch)."""

    key_id: str
    expires_at: int


def create(secret: Secret, key_id: str) -> str:
    """A new session's cookie."""
    text = f"{key_id}.{int(time.time()) + SESSION_S}.{secrets.token_hex(16)}"
    return f"{text}.{secret.sign('session', text)}"


def read(secret: Secret, cookie: str) -> Session | None:
    """The session of a cookie; None if it is not ours or over."""
    text, _, signature = cookie.rpartition(".")
    if not secret.signed("session", text, signature):
        return None
    key_id, expires_at, _ = text.split(".")
    return Session(key_id, int(expires_at)) if int(expires_at) > time.time() else None


def token(secret: Secret, cookie: str) -> str:
    """The token that unsafe requests of a session send beside its cookie."""
    return secret.sign("csrf", cookie)


def is_token(secret: Secret, cookie: str, presented: str) -> bool:
    """Whether a token belongs to a session."""
    return secret.signed("csrf", cookie, presented)

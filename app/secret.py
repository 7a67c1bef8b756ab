"""The service's own secret, and what is derived from it: session signatures and webhook secrets.

Derived, not stored: whoever reads the database can neither forge a session nor sign a webhook.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from app.settings import Settings

SECRET_CHARACTERS: Final = 32
"""Fewest characters of a secret that is set."""


class Secret:
    """The secret.

    Args:
        value: what everything is derived from.
    """

    def __init__(self, value: str) -> None:
        self._value = value.encode()

    def sign(self, purpose: str, text: str) -> str:
        """A signature of ``text`` that holds for one purpose only, in hexadecimal digits."""
        return self._derive(purpose, text).hex()

    def signed(self, purpose: str, text: str, signature: str) -> bool:
        """Whether a signature is ours."""
        return hmac.compare_digest(self.sign(purpose, text).encode(), signature.encode())

    def of_webhooks(self, owner: str) -> str:
        """The secret with which the webhooks of one API key are signed, as Standard Webhooks writes it."""
        return "whsec_" + base64.b64encode(self._derive("webhooks", owner)).decode()

    def _derive(self, purpose: str, text: str) -> bytes:
        return hmac.digest(self._value, f"{purpose}\0{text}".encode(), hashlib.sha256)


def open_secret(settings: Settings) -> Secret:
    """The secret that the settings have, or the one in the data folder, made if it is missing."""
    if settings.secret:
        return Secret(settings.secret)
    path = settings.data / "secret"
    if not path.exists():
        _make(path)
    return Secret(path.read_text(encoding="ascii"))


def _make(path: Path) -> None:
    """Write a new secret; of two processes that do so at once, both use the first one's."""
    new = path.with_name(f"secret-{secrets.token_hex(8)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()

"""``unstuck keys``: make, list and revoke API keys, in the database of the service's data folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.settings import Settings
    from app.store import Store

app = typer.Typer(no_args_is_help=True)

_Data = Annotated[Path | None, typer.Option(help="Folder of the service [unstuck-data].")]
_DAY_S = 24 * 3600


@contextmanager
def _opened(data: Path | None) -> Iterator[tuple[Settings, Store]]:
    from app.settings import Settings  # noqa: PLC0415
    from app.store import open_store  # noqa: PLC0415

    settings = Settings() if data is None else Settings(data=data)
    store = open_store(settings)
    try:
        store.database.migrate()
        yield settings, store
    finally:
        store.database.close()


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.")],
    scopes: Annotated[
        str, typer.Option(help="What it allows, separated by commas: read, write, metrics.")
    ] = "read,write",
    days: Annotated[float | None, typer.Option(help="Days that it holds [for ever].", min=0.001)] = None,
    data: _Data = None,
) -> None:
    """Make a key and print it; it cannot be told again.  From the first key on, every caller needs one."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    from app.secret import open_secret  # noqa: PLC0415
    from app.store.keys import Scope  # noqa: PLC0415

    try:
        chosen = TypeAdapter(list[Scope]).validate_python([scope.strip() for scope in scopes.split(",")])
    except ValidationError as error:
        raise typer.BadParameter("a scope is read, write or metrics", param_hint="--scopes") from error
    with _opened(data) as (settings, store):
        expires_at = None if days is None else time.time() + days * _DAY_S
        key_id, key = store.keys.create(name, chosen, expires_at)
        webhooks = open_secret(settings).of_webhooks(key_id)
    typer.echo(f"key:            {key}\nwebhook secret: {webhooks}")


@app.command("list")
def list_keys(data: _Data = None) -> None:
    """List the keys, without their secrets."""
    with _opened(data) as (_, store):
        for row in store.keys.every():
            state = "revoked" if row.revoked_at is not None else _until(row.expires_at)
            typer.echo(f"{row.id}  {row.name:24}  {','.join(row.scopes):20}  {state}")


def _until(expires_at: float | None) -> str:
    if expires_at is None:
        return "holds"
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(expires_at))
    return f"{'holds until' if expires_at > time.time() else 'expired'} {date}"


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `unstuck keys list` shows it.")],
    data: _Data = None,
) -> None:
    """End a key's life at once; its diagnoses stay until their retention time is over."""
    with _opened(data) as (_, store):
        if not store.keys.revoke(key_id):
            raise typer.BadParameter(f"there is no key {key_id}", param_hint="ID")
    typer.echo(f"{key_id} revoked")

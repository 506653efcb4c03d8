"""`hearthbeat key …`."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.table import Table

from appliance.cli.common import WHERE, out, services_for, settings_options


@click.group()
def key() -> None:
    """Make, list, revoke and rotate API keys; works whether the server runs or not."""


@key.command("create")
@click.argument("name")
@click.option(
    "--scope",
    default="ingest",
    show_default=True,
    help="What the key may do: ingest, read, admin; several with commas.",
)
@click.option(
    "--person",
    metavar="NAME",
    help="Whose data it is for; a new name adds a person. Default: the first person.",
)
@click.option(
    "--expires", metavar="DAYS", type=click.IntRange(1, 36_500), help="Days until it expires. Default: never."
)
@settings_options(*WHERE)
def create_key(name: str, scope: str, person: str | None, expires: int | None, **given: Any) -> None:
    """Make an API key and print it, once, alone on standard output."""
    from appliance.domain.key import Scope  # noqa: PLC0415

    words = [word.strip() for word in scope.split(",") if word.strip()]
    if not words or set(words) - set(Scope):
        raise click.BadParameter(f"a scope is one of {', '.join(Scope)}.", param_hint="--scope")
    with services_for(given, "key create") as services:
        fresh = services.keys.create(
            name, [Scope(word) for word in words], person_name=person, expires_days=expires
        )
    click.echo(fresh.secret_text)


@key.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@settings_options(*WHERE)
def list_keys(*, as_json: bool, **given: Any) -> None:
    """List all keys; secrets are not known."""
    with services_for(given, "key list") as services:
        found = services.keys.listed()
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "id": key.key_id,
                        "name": key.name,
                        "person": person,
                        "scopes": sorted(key.scopes),
                        "created_at": key.created_at.isoformat(),
                        "expires_at": key.expires_at and key.expires_at.isoformat(),
                        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
                        "last_used_at": key.last_used_at and key.last_used_at.isoformat(),
                    }
                    for key, person in found
                ]
            )
        )
        return
    if not found:
        out.print('There are no keys yet. Make one with: hearthbeat key create "My iPhone"')
        return
    table = Table("ID", "Name", "Person", "Scopes", "Last used", "State", box=None, pad_edge=False)
    for key, person in found:
        table.add_row(
            str(key.key_id),
            key.name,
            person,
            ", ".join(sorted(key.scopes)),
            f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
            _state_of(key),
        )
    out.print(table)


@key.command("revoke")
@click.argument("key_id", type=int)
@settings_options(*WHERE)
def revoke_key(key_id: int, **given: Any) -> None:
    """Close a key for good, at once."""
    with services_for(given, "key revoke") as services:
        revoked = services.keys.revoke(key_id)
    click.echo(f"Key {key_id} ({revoked.name}) is revoked.", err=True)


@key.command("rotate")
@click.argument("key_id", type=int)
@settings_options(*WHERE)
def rotate_key(key_id: int, **given: Any) -> None:
    """Close a key and print its replacement, which has the same name, person and scopes."""
    with services_for(given, "key rotate") as services:
        fresh = services.keys.rotate(key_id)
    click.echo(f"Key {key_id} is revoked; key {fresh.key.key_id} takes its place:", err=True)
    click.echo(fresh.secret_text)


def _state_of(key: Any) -> str:
    if key.revoked_at:
        return "revoked"
    return f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "open"

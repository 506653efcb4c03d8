"""`hearthbeat key …`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from appliance.cli.common import WHERE, out, services_for, settings_options

_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")
_LIMIT = click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="Lines to show at most."
)


@click.group()
def key() -> None:
    """Make, list, disable, rotate and revoke API keys, and see who came with a wrong one.

    Works whether the server runs or not. An ID is the number that “key list” shows.
    """


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
@_JSON
@settings_options(*WHERE)
def list_keys(*, as_json: bool, **given: Any) -> None:
    """List all keys; secrets are not known. A running server tells last uses within seconds."""
    with services_for(given, "key list") as services:
        found = services.keys.listed()
        now = services.clock.now()
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "id": key.key_id,
                        "name": key.name,
                        "person": person,
                        "scopes": sorted(key.scopes),
                        "state": key.state(now),
                        "created_at": _told(key.created_at),
                        "expires_at": _told(key.expires_at),
                        "revoked_at": _told(key.revoked_at),
                        "disabled_at": _told(key.disabled_at),
                        "last_used_at": _told(key.last_used_at),
                        "replaced_by": key.replaced_by,
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
            _plain(key.name),
            _plain(person),
            ", ".join(sorted(key.scopes)),
            _shown(key.last_used_at) if key.last_used_at else "never",
            _state_of(key, now),
        )
    out.print(table)


@key.command("revoke")
@click.argument("key_id", metavar="ID", type=int)
@settings_options(*WHERE)
def revoke_key(key_id: int, **given: Any) -> None:
    """Close a key for good, at once."""
    with services_for(given, "key revoke") as services:
        revoked = services.keys.revoke(key_id)
    click.echo(f"Key {key_id} ({revoked.name}) is revoked.", err=True)


@key.command("disable")
@click.argument("key_id", metavar="ID", type=int)
@settings_options(*WHERE)
def disable_key(key_id: int, **given: Any) -> None:
    """Close a key until “key enable” opens it again."""
    with services_for(given, "key disable") as services:
        disabled = services.keys.disable(key_id)
    click.echo(f"Key {key_id} ({disabled.name}) is disabled.", err=True)


@key.command("enable")
@click.argument("key_id", metavar="ID", type=int)
@settings_options(*WHERE)
def enable_key(key_id: int, **given: Any) -> None:
    """Open a disabled key again."""
    with services_for(given, "key enable") as services:
        enabled = services.keys.enable(key_id)
    click.echo(f"Key {key_id} ({enabled.name}) is enabled.", err=True)


@key.command("rotate")
@click.argument("key_id", metavar="ID", type=int)
@click.option(
    "--overlap",
    metavar="HOURS",
    default=24.0,
    show_default=True,
    type=click.FloatRange(0, 2_160),
    help="How long the old key goes on, so that the phone can be changed in peace; 0 closes it at once.",
)
@settings_options(*WHERE)
def rotate_key(key_id: int, overlap: float, **given: Any) -> None:
    """Print a key's replacement, once, which has the same name, person and scopes; the old one closes after a while."""
    with services_for(given, "key rotate") as services:
        fresh = services.keys.rotate(key_id, overlap_hours=overlap)
    closes = f"closes within {overlap:g} hours" if overlap else "is closed"
    click.echo(f"Key {key_id} {closes}; key {fresh.key.key_id} takes its place:", err=True)
    click.echo(fresh.secret_text)


@key.command("events")
@click.argument("key_id", metavar="[ID]", type=int, required=False)
@_LIMIT
@_JSON
@settings_options(*WHERE)
def show_events(key_id: int | None, limit: int, *, as_json: bool, **given: Any) -> None:
    """Tell what happened to a key, or to all of them, newest first."""
    with services_for(given, "key events") as services:
        events = services.keys.events(key_id)[:limit]
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "key_id": event.key_id,
                        "at": _told(event.at),
                        "event": event.change,
                        "detail": event.detail,
                    }
                    for event in events
                ]
            )
        )
        return
    table = Table("When (UTC)", "Key", "Event", "Detail", box=None, pad_edge=False)
    for event in events:
        table.add_row(_shown(event.at), str(event.key_id), event.change, event.detail)
    out.print(table)


@key.command("attempts")
@_LIMIT
@_JSON
@settings_options(*WHERE)
def show_attempts(limit: int, *, as_json: bool, **given: Any) -> None:
    """List requests that were refused for their key, newest first, with what to change about each.

    A running server tells them within seconds.
    """
    with services_for(given, "key attempts") as services:
        found = services.keys.near_misses(limit=limit)
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "address": miss.address,
                        "reason": miss.reason,
                        "mend": miss.mend,
                        "header": miss.header,
                        "key_id": miss.key_id,
                        "automation_name": miss.automation_name,
                        "first_at": _told(miss.first_at),
                        "last_at": _told(miss.last_at),
                        "count": miss.count,
                    }
                    for miss in found
                ]
            )
        )
        return
    if not found:
        out.print("No request was refused.")
        return
    table = Table(
        "Last (UTC)", "Times", "From", "Automation", "Key", "What to change", box=None, pad_edge=False
    )
    for miss in found:
        table.add_row(
            _shown(miss.last_at),
            f"{miss.count:,}",
            miss.address or "many addresses",
            _plain(miss.automation_name),
            _plain(f"{miss.key_id} ({miss.key_name})" if miss.key_name else ""),
            _plain(miss.mend),
        )
    out.print(table)


def _plain(text: str) -> Text:
    """Return what others chose as it is: neither markup nor control characters reach the terminal."""
    return Text("".join(letter if letter.isprintable() else "�" for letter in text))


def _told(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _state_of(key: Any, now: datetime) -> str:
    state = str(key.state(now))
    if state == "replaced":
        return f"replaced by {key.replaced_by}"
    if state == "open" and key.expires_at:
        successor = f", then {key.replaced_by}" if key.replaced_by else ""
        return f"until {key.expires_at:%Y-%m-%d %H:%M}{successor}"
    return state

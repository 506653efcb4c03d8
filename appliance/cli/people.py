"""`hearthbeat person …`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from appliance.cli.common import WHERE, out, services_for, settings_options
from appliance.foundation.errors import Conflict


@click.group()
def person() -> None:
    """People: list, add, change and remove them; works whether the server runs or not."""


@person.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@settings_options(*WHERE)
def list_people(*, as_json: bool, **given: Any) -> None:
    """List everybody whose data is kept here."""
    with services_for(given, "person list") as services:
        everyone = services.people.everyone()
    if as_json:
        told = [
            {
                "id": each.person_id,
                "name": each.name,
                "time_zone": each.time_zone,
                "is_owner": each.is_owner,
            }
            for each in everyone
        ]
        click.echo(json.dumps(told))
        return
    if not everyone:
        out.print('There is nobody yet. Add somebody with: hearthbeat person create "Anna"')
        return
    table = Table("ID", "Name", "Time zone", "", box=None, pad_edge=False)
    for each in everyone:
        table.add_row(str(each.person_id), Text(each.name), each.time_zone, "owner" if each.is_owner else "")
    out.print(table)


@person.command("create")
@click.argument("name")
@click.option("--zone", metavar="ZONE", help="IANA time zone, as Europe/Berlin. Default: this computer's.")
@settings_options(*WHERE)
def create_person(name: str, zone: str | None, **given: Any) -> None:
    """Add a person; their keys are made with “key create --person NAME”."""
    with services_for(given, "person create") as services:
        fresh = services.people.create(name, zone)
    click.echo(f"{fresh.name} is added, in {fresh.time_zone}.", err=True)


@person.command("rename")
@click.argument("name")
@click.argument("new_name")
@settings_options(*WHERE)
def rename_person(name: str, new_name: str, **given: Any) -> None:
    """Give a person another name."""
    with services_for(given, "person rename") as services:
        changed = services.people.change(services.people.named(name).person_id, name=new_name)
    click.echo(f"{name} is now {changed.name}.", err=True)


@person.command("change")
@click.argument("name")
@click.option(
    "--zone", metavar="ZONE", help="IANA time zone that places what comes without an offset from now on."
)
@click.option("--owner/--no-owner", "is_owner", default=None, help="Whether they look after the appliance.")
@settings_options(*WHERE)
def change_person(name: str, zone: str | None, *, is_owner: bool | None, **given: Any) -> None:
    """Give a person another time zone, or make them an owner of the appliance."""
    with services_for(given, "person change") as services:
        changed = services.people.change(
            services.people.named(name).person_id, time_zone=zone, is_owner=is_owner
        )
    part = "an owner" if changed.is_owner else "no owner"
    click.echo(f"{changed.name} is {part}, in {changed.time_zone}.", err=True)


@person.command("delete")
@click.argument("name")
@click.option(
    "--export",
    "export_to",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everything of theirs to this new zip file first; nothing is removed unless that worked.",
)
@click.option("--no-export", is_flag=True, help="Remove everything without keeping anything.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@settings_options(*WHERE)
def delete_person(name: str, export_to: Path | None, *, no_export: bool, yes: bool, **given: Any) -> None:
    """Remove a person, their keys and everything of theirs, after writing it to a file.

    Backups made before still hold it.
    """
    if (export_to is None) != no_export:
        raise click.UsageError("Say either --export FILE or --no-export.")
    # The command may run in another folder than the person who reads its answer thinks of.
    export_to = export_to.absolute() if export_to else None
    with services_for(given, "person delete") as services:
        found = services.people.named(name)
        if export_to is not None and export_to.exists():
            raise Conflict(f"There is a file {export_to} already; choose another name.")
        if not yes:
            kept = f"after writing it to {export_to}" if export_to else "keeping nothing"
            click.confirm(f"Remove {found.name} and everything of theirs, {kept}?", abort=True)
        removed = services.people.remove(found.person_id, export_to)
    click.echo(f"{removed.person.name} is removed, with {removed.uploads:,} uploads.", err=True)
    if removed.archive:
        click.echo(f"{removed.archive} has everything of theirs ({removed.archive_bytes:,} bytes).", err=True)

"""`hearthbeat replay`."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click
from rich.table import Table

from appliance.cli.common import WHERE, out, services_for, settings_options, with_progress


@click.command()
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Only uploads received since this day."
)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--yes", is_flag=True, help="Do not ask before changing anything.")
@settings_options(*WHERE)
def replay(*, since: datetime | None, dry_run: bool, yes: bool, **given: Any) -> None:
    """Read kept uploads again after the catalogue or a reader improved; shows what changes first."""
    day = since.date() if since else None
    with services_for(given, "replay") as services:
        foreseen = with_progress("Looking", services.replaying.everything, since=day, dry_run=True)
        _tell_replay(foreseen)
        if dry_run or not foreseen.changes_anything:
            return
        if not yes and sys.stdin.isatty():
            click.confirm("Make these changes?", abort=True)
        with_progress("Replaying", services.replaying.everything, since=day, dry_run=False)
        out.print("Done.")


def _tell_replay(report: Any) -> None:
    out.print(f"{report.uploads} uploads can be read again; {report.released} items leave quarantine.")
    for count, what in ((report.unreadable, "cannot be opened"), (report.without_body, "are no longer kept")):
        if count:
            out.print(f"{count} uploads {what}.")
    changes = {name: change for name, change in sorted(report.changes.items()) if change}
    if not changes:
        out.print("Nothing that is stored changes.")
        return
    table = Table("What", "Added", "Changed", "Removed", box=None, pad_edge=False)
    for name, change in changes.items():
        table.add_row(name, f"{change.added:,}", f"{change.changed:,}", f"{change.removed:,}")
    out.print(table)

"""`hearthbeat import`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from appliance.cli.common import WHERE, out, services_for, settings_options
from appliance.foundation.errors import RequestError, SeveralExports, UnreadableExport

_OUTCOMES = ("received", "stored", "revised", "unchanged", "superseded", "quarantined")
_TITLES = ("Read", "New", "Changed", "Known", "Superseded", "Set aside")


@click.command("import")
@click.argument("path", required=False, metavar="FILE", type=click.Path(path_type=Path))
@click.option("--person", metavar="NAME", help="Whose past it is; needed where there are several people.")
@click.option("--person-id", type=int, hidden=True)  # as our own server says it, whatever the name is now
@click.option("--name", default="", help="What you call the file, where it is not its name on the disk.")
@click.option("--dry-run", is_flag=True, help="Do everything, tell what came of it, and take it back.")
@click.option(
    "--stay",
    "stays",
    nargs=3,
    multiple=True,
    metavar="FROM TO ZONE",
    help="A time spent elsewhere, as 2024-07-01 2024-07-14 Asia/Tokyo, beside those that are kept of the person.",
)
@click.option("--list", "listing", is_flag=True, help="List what was imported.")
@click.option("--undo", metavar="ID", type=int, help="Take back everything that an import brought.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@settings_options(*WHERE)
def import_(
    path: Path | None,
    person: str | None,
    person_id: int | None,
    name: str,
    stays: tuple[tuple[str, str, str], ...],
    undo: int | None,
    *,
    dry_run: bool,
    listing: bool,
    yes: bool,
    **given: Any,
) -> None:
    """Take over a person's past: Apple's export.zip, its folder or export.xml, or JSON and CSV files of the phone app.

    The same file is known again, and one that was stopped (Ctrl-C) goes on where it was. Works whether the server
    runs or not.
    """
    if sum((path is not None, undo is not None, listing)) != 1:
        raise click.UsageError("Say one of: a FILE, --list, --undo ID.")
    if path is None and (dry_run or name or stays):
        raise click.UsageError("--dry-run, --name and --stay go with a FILE; nothing was done.")
    with services_for(given, "import") as services:
        person_id = person_id if person_id is not None else _person(services, person)
        if listing:
            _list(services.importing.listed(person_id))
        elif undo is not None:
            _undo(services, person_id, undo, yes=yes)
        elif path is not None:
            try:
                with _stopping_on_sigterm():
                    runs, unreadable = _import(
                        services, person_id, path, name, _stays(stays), dry_run=dry_run
                    )
            except KeyboardInterrupt:
                if not dry_run:
                    click.echo("Stopped; give the same file again, and it goes on from here.", err=True)
                raise
            _tell_all(runs, unreadable, dry_run=dry_run)


def _undo(services: Any, person_id: int, upload_id: int, *, yes: bool) -> None:
    run = services.importing.find(person_id, upload_id)
    if not yes:
        click.confirm(f"Take back everything that “{run.name}” brought?", abort=True)
    services.importing.undo(person_id, upload_id)
    click.echo(f"Import {upload_id} is undone.", err=True)
    others = [each.name for each in services.importing.listed(person_id) if each.state != "undone"]
    if others:
        told = ", ".join(f"“{name}”" for name in dict.fromkeys(others))
        click.echo(f"What it had in common with {told} comes back when those are given again.", err=True)


@contextmanager
def _stopping_on_sigterm() -> Iterator[None]:
    """Let SIGTERM stop an import as Ctrl-C does, so that it is noted how far it is."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _person(services: Any, name: str | None) -> int:
    if name is not None:
        return int(services.people.named(name).person_id)
    everyone = services.people.everyone()
    if len(everyone) != 1:
        raise click.UsageError(
            "Say whose past it is: --person NAME."
            if everyone
            else 'There is nobody yet. Add somebody with: hearthbeat person create "Anna"'
        )
    return int(everyone[0].person_id)


def _stays(told: tuple[tuple[str, str, str], ...]) -> list[Any]:
    from appliance.services.people import checked_days_away  # noqa: PLC0415

    try:
        return [checked_days_away(*away).stay for away in told]
    except RequestError as error:
        raise click.UsageError(error.detail) from error


def _import(
    services: Any, person_id: int, path: Path, name: str, stays: list[Any], *, dry_run: bool
) -> tuple[list[Any], list[UnreadableExport]]:
    """Return what was imported, and why those files of a folder were not that cannot be read."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    begun = time.monotonic()
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task("Importing", total=None, told="")

        def tell(run: Any) -> None:
            rate = run.counts.received / max(time.monotonic() - begun, 0.001)
            told = f"{run.counts.received:,} records, {rate:,.0f} a second"
            progress.update(task, completed=run.done, total=run.total, told=told)

        importing = services.importing
        try:
            run = importing.export(person_id, path, name=name, stays=stays, dry_run=dry_run, on_progress=tell)
        except SeveralExports:
            raise
        except UnreadableExport:
            if not (path.is_dir() or path.suffix.lower() in (".json", ".csv", ".gz")):
                raise
            unreadable: list[UnreadableExport] = []
            of_folder = {"on_unreadable": unreadable.append} if path.is_dir() else {}
            runs = importing.files(person_id, path, name=name, dry_run=dry_run, on_progress=tell, **of_folder)
            return runs, unreadable
        return [run], []


def _tell_all(runs: list[Any], unreadable: list[UnreadableExport], *, dry_run: bool) -> None:
    """Tell of every file; end with a status of 1 where not everything was read."""
    for run in runs:
        _tell(run, dry_run=dry_run)
    for error in unreadable:
        click.echo(f"{error.title}: {error.detail}", err=True)
    if unreadable or any(run.state == "cut" for run in runs):
        sys.exit(1)


def _tell(run: Any, *, dry_run: bool) -> None:
    if run.known:
        again = f"to read it anew, undo that first: hearthbeat import --undo {run.upload_id}"
        out.print(
            Text(f"“{run.name}” was imported before, as import {run.upload_id}; nothing was done ({again}).")
        )
        _tell_what_is_missing(run)
        return
    table = Table(
        Column("What", overflow="fold"),
        *(Column(title, justify="right", no_wrap=True) for title in _TITLES),
        box=None,
        pad_edge=False,
    )
    kinds = {kind: counts for kind, counts in run.kinds.items() if kind != "samples"}
    for name, counts in sorted({**run.metrics, **kinds}.items()):
        table.add_row(Text(name), *(f"{getattr(counts, outcome):,}" for outcome in _OUTCOMES))
    table.add_row("All", *(f"{getattr(run.counts, outcome):,}" for outcome in _OUTCOMES))
    out.print(table)
    _tell_what_is_missing(run)
    if not_kept := run.content.get("not_kept"):
        out.print(
            Text(
                f"{not_kept:,} of what was set aside is counted and not kept, being too much; keep the file."
            )
        )
    if dry_run:
        out.print("This was a dry run; nothing was kept.")
    elif run.state == "stopped":  # from a page
        out.print(Text(f"“{run.name}” was stopped; give the same file again, and it goes on from here."))
    else:
        out.print(
            Text(
                f"“{run.name}” is import {run.upload_id}; undo it with: hearthbeat import --undo {run.upload_id}"
            )
        )


def _tell_what_is_missing(run: Any) -> None:
    if run.content.get("cut"):
        out.print(Text(f"Not all of it could be read. {run.content['cut']}"))
    elif not run.counts.received and run.state == "done":
        out.print(Text(f"“{run.name}” is empty: there is no record of anything in it."))


def _list(runs: Any) -> None:
    if not runs:
        out.print("Nothing was imported yet.")
        return
    table = Table("ID", "File", "State", "Read", "New", "Begun", box=None, pad_edge=False)
    for run in runs:
        counts = run.counts
        begun = f"{run.started_at:%Y-%m-%d %H:%M}"
        table.add_row(
            str(run.upload_id), Text(run.name), run.state, f"{counts.received:,}", f"{counts.stored:,}", begun
        )
    out.print(table)

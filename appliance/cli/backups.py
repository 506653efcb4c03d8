"""`hearthbeat backup`, `verify` and `restore`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from appliance.cli.common import WHERE, load, out, services_for, settings_options, with_progress

PLACES = (*WHERE, "backup_dir", "postgres_bin")


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@settings_options(*PLACES)
def backup(folder: Path | None, **given: Any) -> None:
    """Back up everything into one file and print its path; works whether the server runs or not.

    FOLDER is where to put it, for example another disk; otherwise it goes to the folder of the nightly backups.
    """
    with services_for(given, "backup") as services:
        made = with_progress("Backing up", services.backups.make, folder=folder and folder.absolute())
    click.echo(f"{made.rows:,} rows in {made.size_bytes / 1e6:,.1f} MB.", err=True)
    click.echo(str(made.path))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@settings_options("data_dir", "engine_user", "postgres_bin", "log_level")
def verify(file: Path, **given: Any) -> None:
    """Prove that a backup can be restored: restore it to a throw-away database and compare.

    Touches no data of yours. Exit status 1 when the backup is not good.
    """
    settings = load(given, quiet=True)
    from appliance.bootstrap import verify_backup  # noqa: PLC0415

    with out.status("Restoring on trial", spinner="line"):
        report = verify_backup(settings, file)
    for sentence in (*report.problems, *report.doubts):
        click.echo(f"{sentence}.", err=True)
    if report.problems:
        click.echo(f"{file.name} is not good.", err=True)
        sys.exit(1)
    click.echo(
        f"{file.name} is good: restored on trial in {report.seconds:.1f} s, {report.rows:,} rows and "
        f"{report.days} days compared, {report.recomputed} of them recomputed from their samples."
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Put it in the place of data that is there.")
@settings_options(*PLACES)
def restore(file: Path, *, yes: bool, **given: Any) -> None:
    """Restore a backup. The server must not run.

    What is there is copied first, and stays untouched until the backup is restored beside it and compared. API keys
    work as they did when the backup was made.
    """
    settings = load(given, quiet=True)
    from appliance.bootstrap import restoring  # noqa: PLC0415

    with restoring(settings, file) as at_work:
        done = at_work.restore(file, overwrite=yes, on_step=lambda step: click.echo(f"{step} …", err=True))
    if done.safety_copy:
        click.echo(f"What was there before: {done.safety_copy}")
    if done.settings:
        click.echo(f"The settings of the backup: {done.settings}")
    click.echo(
        f"Restored {done.rows:,} rows. A key or login that was closed since the backup may be open again."
    )

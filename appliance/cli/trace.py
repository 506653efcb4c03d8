"""`hearthbeat trace`."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import click
from rich.markup import escape

from appliance.cli.common import WHERE, load, out, settings_options
from appliance.foundation.errors import HearthbeatError, HostError, NotFound
from appliance.foundation.paths import DataFolder
from appliance.foundation.settings import Settings

BAR, LONGEST = 20, 300  # characters


@click.command()
@click.argument("request_id", required=False)
@click.option("--upload", "upload_id", type=click.IntRange(1), metavar="ID", help="An upload instead.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@settings_options(*WHERE)
def trace(*, request_id: str | None, upload_id: int | None, as_json: bool, **given: Any) -> None:
    """Show the whole way of a request, step by step: what the database and the log know of it.

    REQUEST_ID is what every answer carries as X-Request-ID, and every receipt and error as request_id; #17 means
    the upload 17.
    """
    if request_id and (numbered := re.fullmatch(r"#(\d{1,18})", request_id)):
        request_id, upload_id = None, int(numbered[1])
    if (request_id is None) == (upload_id is None):
        raise click.UsageError("Name a request id, or an upload as #17.")
    from appliance.services.following import follow  # noqa: PLC0415

    settings = load(given, quiet=True)
    if not settings.data_dir.is_dir():
        raise HostError(f"There is no data folder {settings.data_dir}; choose another with --data-dir.")
    traced, away = _from_database(settings, request_id, upload_id)
    way = follow(DataFolder(settings.data_dir).logs, traced, request_id=request_id, upload_id=upload_id)
    if not way.is_known:
        what = f"the upload {upload_id}" if upload_id else f"a request “{request_id}”"
        where = "the log" if away else "the database or the log"
        raise NotFound(
            f"Nothing in {where} knows of {what}; the log keeps the last days only."
            + (f" The database could not be asked: {away}" if away else "")
        )
    if as_json:
        click.echo(json.dumps(_as_json(way, away)))
        return
    if away:
        out.print(f"[yellow]From the log alone[/]; the database could not be asked: {_safe(away)}")
    _print(way)


def _from_database(
    settings: Settings, request_id: str | None, upload_id: int | None
) -> tuple[list[Any], str | None]:
    from appliance.bootstrap import services_at_hand  # noqa: PLC0415

    try:
        with services_at_hand(settings, "trace") as services:
            if request_id is not None:
                return services.tracing.of_request(request_id), None
            assert upload_id is not None  # noqa: S101  one of the two is named
            return services.tracing.of_anybodys_upload(upload_id), None
    except HearthbeatError as error:
        return [], error.detail


def _as_json(way: Any, away: str | None) -> dict[str, Any]:
    return {
        "request_ids": way.request_ids,
        "uploads": way.states,
        "database": away or "ok",
        "attempts": [attempt.as_dict() for attempt in way.attempts],
        "log": [
            {"at": line.at.isoformat(), "level": line.level, "event": line.event, **line.fields}
            for line in way.lines
        ],
    }


def _print(way: Any) -> None:
    from appliance.foundation.steps import Step  # noqa: PLC0415
    from appliance.services.following import Line  # noqa: PLC0415
    from appliance.services.tracing import STEPS  # noqa: PLC0415

    for upload_id, state in way.states.items():
        out.print(f"Upload {upload_id}: [bold]{state}[/]")
    for request_id in way.request_ids:
        out.print(f"Request {_safe(request_id)}")
    moments = way.moments()
    began_at = moments[0][0]
    whole_ms = 0.0
    out.print(f"[dim]{'at ms':>9} {'took':>9}[/]")
    for at, told in moments:
        since = f"{(at - began_at).total_seconds() * 1000:9.1f}"
        if isinstance(told, Line):
            fields = " ".join(f"{name}={value}" for name, value in told.fields.items())
            style = {"warning": "yellow", "error": "red", "critical": "red"}.get(told.level, "dim")
            out.print(f"{since} {'':9}  {'':{BAR}}  [{style}]{_safe(f'{told.event} {fields}'[:LONGEST])}[/]")
        elif isinstance(told, Step):
            what = STEPS.get(told.name, told.name)
            counts = "".join(f", {count:,} {name}" for name, count in told.counts.items())
            bar = f"{_bar(told, whole_ms):{BAR}}"
            out.print(f"{since} {told.took_ms:9.1f}  {bar}  {_safe(f'{told.name}: {what}{counts}')}")
        else:
            whole_ms = max((step.ended_ms for step in told.steps), default=0.0)
            who = f", {_safe(told.instance)}" if told.instance else ""
            out.print(f"{since} {'':9}  [bold]{told.cause} began {_spelt(told.began_at)}{who}[/]")


def _bar(step: Any, whole_ms: float) -> str:
    if whole_ms <= 0:
        return ""
    begin = int((step.ended_ms - step.took_ms) / whole_ms * BAR)
    length: int = max(1, round(step.took_ms / whole_ms * BAR))
    return " " * min(begin, BAR - 1) + "━" * min(length, BAR - min(begin, BAR - 1))


def _spelt(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S.%f}"[:-3]


def _safe(text: object) -> str:
    """Return text from outside as a terminal may show it: nothing in it is markup or moves the cursor."""
    return str(escape("".join(sign if sign.isprintable() else "·" for sign in str(text))))

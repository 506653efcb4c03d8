"""`hearthbeat doctor`."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.markup import escape

from appliance.cli.common import out, settings_options
from appliance.foundation.log import configure_logging

_SIGNS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@settings_options("data_dir", "host", "port", "database_url", "redis_url", "engine_user")
def doctor(*, as_json: bool, **given: Any) -> None:
    """Look for what is wrong and say how to mend it; works whatever is broken, and changes nothing.

    Exit status 1 when something does not work, 0 otherwise.
    """
    configure_logging("critical", None)  # the findings are the answer
    from appliance.doctor.examination import examine  # noqa: PLC0415

    found = examine({name: value for name, value in given.items() if value is not None})
    levels = [each.finding.level.value for each in found]
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "group": each.group,
                        "check": each.check,
                        "level": each.finding.level.value,
                        "told": each.finding.told,
                        "mend": each.finding.mend,
                    }
                    for each in found
                ]
            )
        )
    else:
        group = ""
        for each in found:
            if each.group != group:
                group = each.group
                out.print(f"[bold]{group}[/]")
            out.print(f"  {_SIGNS[each.finding.level.value]} {_safe(each.finding.told)}")
            if each.finding.mend:
                out.print(f"      [cyan]{_safe(each.finding.mend)}[/]")
        out.print(_summary(levels.count("problem"), levels.count("warning")))
    sys.exit(1 if "problem" in levels else 0)


def _summary(problems: int, warnings: int) -> str:
    if not problems and not warnings:
        return "[green]All is well.[/]"
    told = [
        f"{n} {word}{'s' if n > 1 else ''}" for n, word in ((problems, "problem"), (warnings, "warning")) if n
    ]
    return f"{' and '.join(told)}."


def _safe(text: str) -> str:
    """Return text from outside as a terminal may show it: nothing in it is markup or moves the cursor."""
    return str(escape("".join(sign if sign.isprintable() else " " for sign in text)))

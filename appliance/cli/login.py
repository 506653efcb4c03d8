"""`hearthbeat login`."""

from __future__ import annotations

import sys
from typing import Any

import click

from appliance.cli.common import WHERE, load, services_for, settings_options
from appliance.foundation.presence import find_serving


@click.command()
@click.option("--person", metavar="NAME", help="Whom it logs in. Default: the owner.")
@settings_options(*WHERE)
def login(*, person: str | None, **given: Any) -> None:
    """Print a link that logs in to the dashboard once, or sets Hearthbeat up if nobody has done that yet."""
    from appliance.domain.session import LinkPurpose  # noqa: PLC0415

    serving = find_serving(load(given, quiet=True).data_dir)
    with services_for(given, "login") as services:
        if services.sessions.needs_setup():
            path = f"setup/{services.sessions.link(LinkPurpose.SETUP)}"
        else:
            person_id = services.people.named(person).person_id if person else None
            path = f"login/{services.sessions.link(LinkPurpose.LOGIN, person_id)}"
    click.echo(f"{serving.url if serving else 'http://127.0.0.1:8710/'}{path}")
    if serving is None:
        click.echo("Hearthbeat does not run; start it with hearthbeat serve, then open this link.", err=True)
        sys.exit(0)

"""The `hearthbeat` command: one module per family of commands, put together here.

Imports everything below it, the heavy parts only inside a command, so that `--help` and `status` are there at once.
"""

from __future__ import annotations

import sys

import click

from appliance.cli.backups import backup, restore, verify
from appliance.cli.doctor import doctor
from appliance.cli.imports import import_
from appliance.cli.jobs import jobs
from appliance.cli.keys import key
from appliance.cli.login import login
from appliance.cli.people import person
from appliance.cli.replay import replay
from appliance.cli.serve import demo, serve
from appliance.cli.status import status
from appliance.cli.trace import trace
from appliance.cli.tray import autostart, tray
from appliance.foundation.errors import HearthbeatError


def main() -> None:
    """Run the command, telling our own errors as one sentence."""
    try:
        cli.main(standalone_mode=False)
    except HearthbeatError as error:
        click.echo(f"{error.title}: {error.detail}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="hearthbeat", prog_name="hearthbeat")
def cli() -> None:
    """Hearthbeat keeps the Apple Health data your iPhone sends: all of it, and every number can say why.

    Settings come from settings.toml in the data folder, from HEARTHBEAT_… variables and from options.
    """


for command in (
    serve,
    demo,
    login,
    key,
    person,
    import_,
    replay,
    status,
    doctor,
    trace,
    tray,
    autostart,
    backup,
    verify,
    restore,
    jobs,
):
    cli.add_command(command)

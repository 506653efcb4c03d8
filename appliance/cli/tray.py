"""`hearthbeat tray` and `hearthbeat autostart …`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Any

import click
from filelock import FileLock, Timeout

from appliance.cli.common import load, out, settings_options
from appliance.foundation.errors import HostError
from appliance.foundation.paths import DataFolder
from appliance.foundation.presence import find_serving, tray_announced
from appliance.foundation.settings import Settings
from tray.adapters.names import NAMES

_LOCK = "tray.lock"
_TOLD = "tray-told.json"
_OPTIONS = ("data_dir", "host", "port", "announce", "log_level")


@click.command()
@click.option(
    "--icon",
    type=click.Choice(NAMES),
    default="auto",
    help="How the icon is shown; by itself it takes what works here.",
)
@settings_options(*_OPTIONS, "quiet_hours")
def tray(*, icon: str, **given: Any) -> None:
    """Show Hearthbeat beside the clock: start it, or take on the one that runs, and look after it.

    It ends without ending the server, unless that is wanted. Where there is no tray it says so and goes on without icon.
    """
    settings = load(given, quiet=False)
    folder = DataFolder(settings.data_dir)
    with ExitStack() as stack:
        lock = FileLock(folder.root / _LOCK, mode=0o600)
        try:
            stack.enter_context(lock.acquire(timeout=0))
        except Timeout:
            _open_instead(settings)
            return
        _run(settings, icon, given)


def _run(settings: Settings, icon: str, given: dict[str, Any]) -> None:
    from tray.adapters.choice import choose  # noqa: PLC0415  pictures and the desktop's bus are for this command alone
    from tray.application import Application, Desk  # noqa: PLC0415
    from tray.autostart import command_for, is_stale, ways  # noqa: PLC0415
    from tray.controller import Controller  # noqa: PLC0415
    from tray.notifications import Incidents, QuietHours  # noqa: PLC0415
    from tray.process import Child, serve_command  # noqa: PLC0415

    folder = DataFolder(settings.data_dir)
    chosen = {name: given[name] for name in _OPTIONS if given.get(name) is not None}
    chosen["data_dir"] = str(settings.data_dir)
    options = [word for name, value in chosen.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    # The server is started first: its work does not wait for a panel that is late at login.
    controller = Controller(folder.root, lambda: Child(serve_command(options), folder.logs))
    controller.look()
    controller.start()
    adapter = choose(icon)
    login, command = ways()["tray"], command_for("tray", folder.root)
    if is_stale(login.command() or command):  # Hearthbeat was moved; login shall find it where it is now
        login.turn_on(command)
    desk = Desk(folder.root, folder.logs, login, command)
    incidents = Incidents(folder.root / _TOLD, QuietHours.read(settings.quiet_hours))
    application = Application(controller, adapter, incidents, desk)
    with tray_announced(folder.root, adapter.name, adapter.reason):
        _on_signals(application.leave)
        application.run()


def _on_signals(leave: Callable[[], None]) -> None:
    def hear(_number: int, _frame: FrameType | None) -> None:
        leave()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, hear)


def _open_instead(settings: Settings) -> None:
    """Do what somebody wants who starts it a second time: see it."""
    from tray.client import Client, NoAnswer  # noqa: PLC0415
    from tray.opening import open_page  # noqa: PLC0415

    serving = find_serving(settings.data_dir)
    out.print("The tray of this data folder is there already.")
    if serving is not None:
        try:
            open_page(Client(serving).login_url("dashboard"))
            out.print("The dashboard opens in the browser.")
        except NoAnswer as error:
            out.print(str(error), markup=False)


@click.group()
def autostart() -> None:
    """Start Hearthbeat at login, or no longer."""


def _chosen(what: str) -> tuple[str, dict[str, Any]]:
    from tray.autostart import has_desktop, ways  # noqa: PLC0415

    found = dict(ways())
    if what == "auto":
        what = "tray" if has_desktop(os.environ) or "server" not in found else "server"
    if what not in found:
        raise HostError(f"This system starts no {what} at login by itself; there is: {', '.join(found)}.")
    return what, found


@autostart.command("on")
@click.option(
    "--what",
    type=click.Choice(("auto", "tray", "server")),
    default="auto",
    help="The tray with its icon, or the server alone (Linux). By itself: the tray where there is a desktop.",
)
@settings_options("data_dir")
def turn_on(*, what: str, **given: Any) -> None:
    """Start at login from now on."""
    from tray.autostart import command_for  # noqa: PLC0415

    settings = load(given, quiet=True)
    what, found = _chosen(what)
    try:
        found[what].turn_on(command_for(what, settings.data_dir))
        for other, way in found.items():  # two that start the same would be in each other's way
            if other != what:
                way.turn_off()
    except OSError as error:
        raise HostError(f"Starting at login could not be switched on: {error}.") from error
    out.print(f"Login starts {found[what].what}.", markup=False)
    if what == "server":
        out.print("To start it with the computer, before anybody logs in: sudo loginctl enable-linger $USER")


@autostart.command("off")
def turn_off() -> None:
    """Start nothing at login."""
    _, found = _chosen("auto")
    try:
        for way in found.values():
            way.turn_off()
    except OSError as error:
        raise HostError(f"Starting at login could not be switched off: {error}.") from error
    out.print("Login starts nothing of Hearthbeat.")


@autostart.command("status")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(*, as_json: bool) -> None:
    """Say what login starts. Exit status 1 when it is something that is not there any more."""
    from tray.autostart import is_stale  # noqa: PLC0415

    _, found = _chosen("auto")
    on = {what: command for what, way in found.items() if (command := way.command()) is not None}
    stale = [what for what, command in on.items() if is_stale(command)]
    if as_json:
        click.echo(json.dumps({"on": on, "stale": stale}))
    elif not on:
        out.print("Login starts nothing of Hearthbeat; hearthbeat autostart on changes that.")
    else:
        for what, command in on.items():
            out.print(f"Login starts {found[what].what}: {' '.join(command)}", markup=False)
        for what in stale:
            out.print(
                f"But {on[what][0]} is not there any more; hearthbeat autostart on mends it.", markup=False
            )
    sys.exit(1 if stale else 0)

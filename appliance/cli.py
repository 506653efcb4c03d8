"""The `hearthbeat` command."""

from __future__ import annotations

import gc
import json
import signal
import sys
import tempfile
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Thread
from types import FrameType
from typing import Any, NoReturn, TypeVar

import click
import structlog
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from appliance.foundation.errors import HearthbeatError
from appliance.foundation.log import configure_logging
from appliance.foundation.paths import DataFolder
from appliance.foundation.presence import announced, find_serving
from appliance.foundation.settings import Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

NOT_RUNNING = 3  # exit status of `status`, as systemd has it
_WHERE = ("data_dir", "database_url", "redis_url", "engine_user", "log_level")

out = Console(highlight=False, soft_wrap=True)


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


def _settings_options(*names: str) -> Callable[[F], F]:
    """Give a command one option per setting, with the setting's own description."""

    def decorate(command: F) -> F:
        for name in reversed(names or tuple(Settings.model_fields)):
            field = Settings.model_fields[name]
            option = click.option(
                f"--{name.replace('_', '-')}", name, help=field.description, metavar="VALUE"
            )
            command = option(command)
        return command

    return decorate


def _load(given: dict[str, Any], *, quiet: bool) -> Settings:
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    folder = None if quiet else DataFolder(settings.data_dir)
    if folder is not None:
        folder.create()
    # A short command's output is its answer; only what goes wrong is told beside it.
    level = "warning" if quiet and settings.log_level in ("debug", "info") else settings.log_level
    configure_logging(level, folder.logs if folder else None)
    return settings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="hearthbeat", prog_name="hearthbeat")
def cli() -> None:
    """Hearthbeat keeps the Apple Health data your iPhone sends: all of it, and every number can say why.

    Settings come from settings.toml in the data folder, from HEARTHBEAT_… variables and from options.
    """


@cli.command()
@_settings_options()
def serve(**given: Any) -> None:
    """Run the appliance in the foreground: engines, API, dashboard, worker. Ctrl-C stops it cleanly."""
    settings = _load(given, quiet=False)
    from appliance.bootstrap import running_appliance  # noqa: PLC0415  other commands start faster without it

    with (
        _stopping_on_signals(),
        running_appliance(settings) as (app, services),
        _listening(app, settings) as server,
    ):
        has_key = bool(services.keys.listed())
        out.print(f"Dashboard  {server.local_url}")
        if server.lan_url:
            out.print(f"On the LAN {server.lan_url}  (phones post to {server.lan_url}api/v1/ingest)")
        out.print(f"Data       {settings.data_dir}")
        if not has_key:
            out.print('First run: make a key for your phone with: hearthbeat key create "My iPhone"')
        out.print("Ready. Ctrl-C stops it.")
        sys.stdout.flush()
        server.run()
    out.print("Stopped.")


@cli.command()
@click.option("--no-browser", is_flag=True, help="Do not open the browser.")
@click.option(
    "--days", default=90, show_default=True, type=click.IntRange(1, 730), help="Days of data to make up."
)
@click.option("--seed", default=20, show_default=True, help="Another number makes up another life.")
@_settings_options("host", "port", "log_level", "engine_user", "postgres_bin", "valkey_server", "threads")
def demo(*, no_browser: bool, days: int, seed: int, **given: Any) -> None:
    """Show it alive: a throw-away data folder, a made-up person, and 90 days posted like a phone would."""
    from appliance.bootstrap import running_appliance  # noqa: PLC0415
    from appliance.demo.show import Show  # noqa: PLC0415

    with _stopping_on_signals(), tempfile.TemporaryDirectory(prefix="hearthbeat-demo-") as folder:
        chosen = {"host": "127.0.0.1", "port": "0", "log_level": "warning"} | {
            name: value for name, value in given.items() if value is not None
        }
        settings = _load(chosen | {"data_dir": folder}, quiet=False)
        with running_appliance(settings, "demo") as (app, services), _listening(app, settings) as server:
            show = Show(services, server.local_url, out, days=days, seed=seed)
            out.print(f"Dashboard  {server.local_url}")
            story = Thread(
                target=show.run, kwargs={"open_page": None if no_browser else webbrowser.open}, daemon=True
            )
            story.start()
            server.run()
            show.stop()
    out.print("Stopped; the demo's data is gone.")


@cli.group()
def key() -> None:
    """Make, list, revoke and rotate API keys; works whether the server runs or not."""


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
@_settings_options(*_WHERE)
def create_key(name: str, scope: str, person: str | None, expires: int | None, **given: Any) -> None:
    """Make an API key and print it, once, alone on standard output."""
    from appliance.domain.key import Scope  # noqa: PLC0415

    words = [word.strip() for word in scope.split(",") if word.strip()]
    if not words or set(words) - set(Scope):
        raise click.BadParameter(f"a scope is one of {', '.join(Scope)}.", param_hint="--scope")
    with _services(given, "key create") as services:
        fresh = services.keys.create(
            name, [Scope(word) for word in words], person_name=person, expires_days=expires
        )
    click.echo(fresh.secret_text)


@key.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@_settings_options(*_WHERE)
def list_keys(*, as_json: bool, **given: Any) -> None:
    """List all keys; secrets are not known."""
    with _services(given, "key list") as services:
        found = services.keys.listed()
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "id": key.key_id,
                        "name": key.name,
                        "person": person,
                        "scopes": sorted(key.scopes),
                        "created_at": key.created_at.isoformat(),
                        "expires_at": key.expires_at and key.expires_at.isoformat(),
                        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
                        "last_used_at": key.last_used_at and key.last_used_at.isoformat(),
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
            key.name,
            person,
            ", ".join(sorted(key.scopes)),
            f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
            _state_of(key),
        )
    out.print(table)


@key.command("revoke")
@click.argument("key_id", type=int)
@_settings_options(*_WHERE)
def revoke_key(key_id: int, **given: Any) -> None:
    """Close a key for good, at once."""
    with _services(given, "key revoke") as services:
        revoked = services.keys.revoke(key_id)
    click.echo(f"Key {key_id} ({revoked.name}) is revoked.", err=True)


@key.command("rotate")
@click.argument("key_id", type=int)
@_settings_options(*_WHERE)
def rotate_key(key_id: int, **given: Any) -> None:
    """Close a key and print its replacement, which has the same name, person and scopes."""
    with _services(given, "key rotate") as services:
        fresh = services.keys.rotate(key_id)
    click.echo(f"Key {key_id} is revoked; key {fresh.key.key_id} takes its place:", err=True)
    click.echo(fresh.secret_text)


@cli.command()
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Only uploads received since this day."
)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--yes", is_flag=True, help="Do not ask before changing anything.")
@_settings_options(*_WHERE)
def replay(*, since: datetime | None, dry_run: bool, yes: bool, **given: Any) -> None:
    """Read kept uploads again after the catalogue or a reader improved; shows what changes first."""
    day = since.date() if since else None
    with _services(given, "replay") as services:
        foreseen = _with_progress("Looking", services.replaying.everything, since=day, dry_run=True)
        _tell_replay(foreseen)
        if dry_run or not foreseen.changes_anything:
            return
        if not yes and sys.stdin.isatty():
            click.confirm("Make these changes?", abort=True)
        _with_progress("Replaying", services.replaying.everything, since=day, dry_run=False)
        out.print("Done.")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@_settings_options("data_dir")
def status(*, as_json: bool, **given: Any) -> None:
    """Say what runs, where, and how its parts are. Exit status 3 when nothing runs, 1 when a part is away."""
    settings = _load(given, quiet=True)
    serving = find_serving(settings.data_dir)
    ready = _ask(f"{serving.url}readyz") if serving else None
    told: dict[str, Any] = {
        "running": ready is not None,
        "data_dir": str(settings.data_dir),
        "pid": serving.pid if serving and ready else None,
        "url": serving.url if serving and ready else None,
        "status": ready["status"] if ready else "stopped",
        "parts": ready["parts"] if ready else {},
    }
    if as_json:
        click.echo(json.dumps(told))
    else:
        out.print(
            f"Hearthbeat {'runs' if ready else 'does not run'}{f' at {serving.url}' if serving and ready else ''}."
        )
        out.print(f"Data folder: {settings.data_dir}")
        for part, state in told["parts"].items():
            out.print(f"  {part}: {state}")
        if not ready:
            out.print("Start it with: hearthbeat serve")
    sys.exit(0 if told["status"] in ("ok", "degraded") else 1 if ready else NOT_RUNNING)


def _with_progress(what: str, work: Callable[..., Any], **options: Any) -> Any:
    """Run work that tells how far it is, with a bar on a terminal."""
    with Progress(console=out, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        return work(
            on_progress=lambda done, total: progress.update(task, completed=done, total=total), **options
        )


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


def _state_of(key: Any) -> str:
    if key.revoked_at:
        return "revoked"
    return f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "open"


def _ask(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  our own note names it, on loopback
            return dict(json.load(answer))
    except urllib.error.HTTPError as answer:
        return dict(json.load(answer))
    except (OSError, ValueError):
        return None


@contextmanager
def _services(given: dict[str, Any], role: str) -> Iterator[Any]:
    settings = _load(given, quiet=True)
    from appliance.bootstrap import services_at_hand  # noqa: PLC0415

    with services_at_hand(settings, role) as services:
        yield services


def _tune_interpreter() -> None:
    """Suit Python to a server whose threads wait for sockets while one of them reads a large upload.

    Reading makes a hundred thousand small objects without cycles, and going through them again and again costs a
    tenth of the time. And a thread that feeds Postgres or answers a page should not wait five milliseconds, the
    default, each time it wants to go on.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(0.0005)


class _Listening:
    """A listening server and its addresses."""

    def __init__(self, server: Any, settings: Settings) -> None:
        from appliance.api.server import lan_address  # noqa: PLC0415

        self._server = server
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104
        self.local_url = f"http://{f'[{host}]' if ':' in host else host}:{server.port}/"
        everywhere = settings.host in ("0.0.0.0", "::", "")  # noqa: S104
        address = lan_address() if everywhere else None
        self.lan_url = f"http://{address}:{server.port}/" if address else None

    def run(self) -> None:
        self._server.run()


@contextmanager
def _listening(app: Any, settings: Settings) -> Iterator[_Listening]:
    from appliance.api.server import Server  # noqa: PLC0415

    server = Server(app, settings)
    listening = _Listening(server, settings)
    _tune_interpreter()
    try:
        with announced(settings.data_dir, listening.local_url):
            yield listening
    finally:
        server.close()


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into SystemExit once, so that everything is taken down in order."""

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)  # a second Ctrl-C must not cut the clean stop short
        structlog.get_logger("hearthbeat").info("stopping", signal=signal.Signals(number).name)
        raise SystemExit(0)

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except SystemExit as stopped:
        if stopped.code:
            raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

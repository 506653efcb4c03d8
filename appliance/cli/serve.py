"""`hearthbeat serve` and `hearthbeat demo`."""

from __future__ import annotations

import gc
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread, Timer
from types import FrameType
from typing import Any, NoReturn

import click
import structlog

from appliance.cli.common import load, out, settings_options
from appliance.foundation.presence import announced
from appliance.foundation.settings import Settings


@click.command()
@settings_options()
def serve(**given: Any) -> None:
    """Run the appliance in the foreground: engines, API, dashboard, worker. Ctrl-C stops it cleanly."""
    settings = load(given, quiet=False)
    from appliance.bootstrap import running_appliance  # noqa: PLC0415  other commands start faster without it
    from appliance.domain.session import LinkPurpose  # noqa: PLC0415

    with (
        _stopping_on_signals(),
        running_appliance(settings) as (app, services),
        _listening(app, settings, services) as server,
    ):
        has_key = bool(services.keys.listed())
        out.print(f"Dashboard  {server.local_url}")
        if server.lan_url:
            out.print(f"On the LAN {server.lan_url}  (phones post to {server.lan_url}api/v1/ingest)")
        out.print(f"Data       {settings.data_dir}")
        if services.sessions.needs_setup():
            link = services.sessions.link(LinkPurpose.SETUP)
            out.print(f"First run  {server.local_url}setup/{link}  (opens once; for you alone)")
        elif not has_key:
            out.print('No phone is paired yet: on the dashboard, or with hearthbeat key create "My iPhone"')
        out.print("Ready. Ctrl-C stops it.")
        sys.stdout.flush()
        services.announcing.begin(server.port)
        try:
            server.run()
        finally:
            services.announcing.end()
    out.print("Stopped.")


@click.command()
@click.option("--no-browser", is_flag=True, help="Do not open the browser.")
@click.option(
    "--days", default=90, show_default=True, type=click.IntRange(1, 730), help="Days of data to make up."
)
@click.option(
    "--history",
    is_flag=False,
    flag_value=1,
    default=None,
    metavar="[YEARS]",
    type=click.IntRange(1, 10),
    help="Also import an export of the years before; one unless told.",
)
@click.option("--seed", default=20, show_default=True, help="Another number makes up another life.")
@settings_options("host", "port", "log_level", "engine_user", "postgres_bin", "valkey_server", "threads")
def demo(*, no_browser: bool, days: int, history: int | None, seed: int, **given: Any) -> None:
    """Show it alive: a throw-away data folder, a made-up person, and 90 days posted like a phone would."""
    from appliance.bootstrap import running_appliance  # noqa: PLC0415
    from appliance.demo.show import Show  # noqa: PLC0415

    with _stopping_on_signals(), tempfile.TemporaryDirectory(prefix="hearthbeat-demo-") as folder:
        chosen = {"host": "127.0.0.1", "port": "0", "log_level": "warning", "backup_nightly": "false"} | {
            name: value for name, value in given.items() if value is not None
        }
        settings = load(chosen | {"data_dir": folder}, quiet=False)
        with (
            running_appliance(settings, "demo") as (app, services),
            _listening(app, settings, services) as server,
        ):
            show = Show(
                services,
                server.local_url,
                out,
                days=days,
                seed=seed,
                past=365 * (history or 0),
                folder=Path(folder),
            )
            out.print(f"Dashboard  {server.local_url}")
            story = Thread(
                target=show.run, kwargs={"open_page": None if no_browser else webbrowser.open}, daemon=True
            )
            story.start()
            server.run()
            show.stop()
    out.print("Stopped; the demo's data is gone.")


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
        from appliance.foundation.network import lan_address  # noqa: PLC0415

        self._server = server
        self.port: int = server.port
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104
        self.local_url = f"http://{f'[{host}]' if ':' in host else host}:{server.port}/"
        everywhere = settings.host in ("0.0.0.0", "::", "")  # noqa: S104
        address = lan_address() if everywhere else None
        self.lan_url = f"http://{address}:{server.port}/" if address else None

    def run(self) -> None:
        self._server.run()


@contextmanager
def _listening(app: Any, settings: Settings, services: Any) -> Iterator[_Listening]:
    from appliance.api.server import Server  # noqa: PLC0415

    server = Server(app, settings)
    listening = _Listening(server, settings)
    _tune_interpreter()
    services.control.can_be_ended(_end_soon)
    try:
        with announced(settings.data_dir, listening.local_url, services.control.secret):
            yield listening
    finally:
        server.close()


def _end_soon() -> None:
    """End as on SIGTERM, once the answer to who asked for it is on its way."""
    Timer(0.2, signal.raise_signal, (signal.SIGTERM,)).start()


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

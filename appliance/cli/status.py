"""`hearthbeat status`."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from typing import Any

import click

from appliance.cli.common import load, out, settings_options
from appliance.foundation.presence import find_serving

NOT_RUNNING = 3  # exit status of `status`, as systemd has it


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@settings_options("data_dir")
def status(*, as_json: bool, **given: Any) -> None:
    """Say what runs, where, and how its parts are. Exit status 3 when nothing runs, 1 when a part is away."""
    settings = load(given, quiet=True)
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


def _ask(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  our own note names it, on loopback
            return dict(json.load(answer))
    except urllib.error.HTTPError as answer:
        return dict(json.load(answer))
    except (OSError, ValueError):
        return None

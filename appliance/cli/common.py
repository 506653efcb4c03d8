"""What the commands share: their options, their output, and the services at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import Progress

from appliance.foundation.log import configure_logging
from appliance.foundation.paths import DataFolder
from appliance.foundation.settings import Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

WHERE = ("data_dir", "database_url", "redis_url", "engine_user", "log_level")

out = Console(highlight=False, soft_wrap=True)


def settings_options(*names: str) -> Callable[[F], F]:
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


def load(given: dict[str, Any], *, quiet: bool) -> Settings:
    """Return the settings with what was given on the command line, and set up the log; quiet for short commands."""
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    folder = None if quiet else DataFolder(settings.data_dir)
    if folder is not None:
        folder.create()
    # A short command's output is its answer; only what goes wrong is told beside it.
    level = "warning" if quiet and settings.log_level in ("debug", "info") else settings.log_level
    configure_logging(level, folder.logs if folder else None)
    return settings


@contextmanager
def services_for(given: dict[str, Any], role: str) -> Iterator[Any]:
    """Have the services for a short command, whether the server runs or not."""
    settings = load(given, quiet=True)
    from appliance.bootstrap import services_at_hand  # noqa: PLC0415

    with services_at_hand(settings, role) as services:
        yield services


def with_progress(what: str, work: Callable[..., Any], **options: Any) -> Any:
    """Run work that tells how far it is, with a bar on a terminal."""
    with Progress(console=out, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        return work(
            on_progress=lambda done, total: progress.update(task, completed=done, total=total), **options
        )

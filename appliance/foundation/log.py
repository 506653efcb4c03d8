"""Logs: one formatter for us and for the libraries; readable on a console, JSON lines in rotating files.

Events are static names with fields. Request id and upload id ride along in context variables. Health values,
coordinates and secrets are never passed to a logger; should a field with such a name appear, it is blanked.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

FILE_NAME, FILE_BYTES, FILES_KEPT = "hearthbeat.jsonl", 10_000_000, 5
_SECRET_FIELDS = {"authorization", "api_key", "x_api_key", "secret", "password", "token", "value", "body"}


def configure_logging(level: str, folder: Path | None) -> None:
    """Send every log line to standard error, and as JSON to `folder` when one is given."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _blank_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handlers: list[logging.Handler] = [_console(shared)]
    if folder is not None:
        handlers.append(_file(shared, folder / FILE_NAME))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level.upper())
    # These tell every statement or request at info; that is ours to tell, with ids and times.
    for noisy in ("alembic", "sqlalchemy", "waitress.queue", "apscheduler"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def logged_lines(folder: Path, *signs: str) -> Iterator[dict[str, Any]]:
    """Return the lines of the log files in `folder` that hold one of these texts, oldest file first.

    A file that cannot be read and a line that was cut short are passed over.
    """
    wanted = [sign.encode() for sign in signs]
    names = [f"{FILE_NAME}.{n}" for n in range(FILES_KEPT, 0, -1)]
    for name in [*names, FILE_NAME]:
        try:
            with (folder / name).open("rb") as file:
                for line in file:
                    if any(sign in line for sign in wanted):
                        with suppress(ValueError):
                            found = json.loads(line)
                            if isinstance(found, dict):
                                yield found
        except OSError:
            continue


def _console(shared: list[Processor]) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(
                    colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
                ),
            ],
        )
    )
    return handler


def _file(shared: list[Processor], path: Path) -> logging.Handler:
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8"
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    return handler


def _blank_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name in event.keys() & _SECRET_FIELDS:
        event[name] = "…"
    return event

"""What Postgres is told of who asks, and what the log is told when it takes long.

A slow statement is told by our log, which has the request id and never a value; Postgres' own log of slow statements
would write their parameters down, and those are health values. While a request is at work its id is the connection's
`application_name`, so that a lock in `pg_stat_activity` can be traced to it. That rides along with the time-outs every
transaction begins with and costs no round trip; as a comment in the text it would make every statement a new one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog

SLOW_S = 0.2
STATEMENT_TOLD = 300  # characters
_SANE_ID = re.compile(r"[A-Za-z0-9._\-]+")
_LONGEST_NAME = 63  # of an application_name; Postgres cuts the rest

log = structlog.get_logger("hearthbeat.sql")


class TimedCursor(psycopg.Cursor[Any]):
    """A cursor that tells the log of slow statements: how long they took and their text, never their values."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> TimedCursor:
        """Run a statement."""
        with _timed(query):
            super().execute(query, params, **options)
        return self

    @contextmanager
    def copy(self, statement: Any, params: Any = None, **options: Any) -> Iterator[psycopg.Copy]:
        """Run a COPY."""
        with _timed(statement), super().copy(statement, params, **options) as copy:
            yield copy


@contextmanager
def _timed(statement: object) -> Iterator[None]:
    began_s = time.perf_counter()
    try:
        yield
    finally:
        took_s = time.perf_counter() - began_s
        if took_s >= SLOW_S:
            told = " ".join(str(statement).split())[:STATEMENT_TOLD]
            log.info("slow_statement", ms=round(took_s * 1000), statement=told)


def naming_request() -> str:
    """Return the statement that names the request under way for the rest of a transaction, or nothing without one."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if not isinstance(request_id, str) or not _SANE_ID.fullmatch(request_id):
        return ""
    return f"; SET LOCAL application_name = '{f'hearthbeat {request_id}'[:_LONGEST_NAME]}'"

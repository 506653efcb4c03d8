"""The way to Postgres: connections, transactions, and the errors of the driver told in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from appliance.foundation.errors import DatabaseUnavailable, StorageFull

STATEMENT_TIMEOUT_MS = 120_000
LOCK_TIMEOUT_MS = 30_000
_DISK_FULL = "53100"


class StatementFailed(Exception):
    """Postgres refused a statement. Its own error quotes the row; this one can go to the log."""

    def __init__(self, sqlstate: str | None, sentence: str) -> None:
        super().__init__(f"{sqlstate}: {sentence}")
        self.sqlstate = sqlstate


class Database:
    """A pool of connections to one Postgres."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.url = url
        self._engine = create_engine(
            _with_driver(url),
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=20,
            pool_pre_ping=True,
            hide_parameters=True,  # they are health values, and errors go to the log
            # No server-side prepared statements: behind pgbouncer a connection may change under us.
            connect_args={"connect_timeout": 5, "prepare_threshold": None},
        )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection inside one transaction: committed at the end, rolled back on any error.

        Raises `DatabaseUnavailable` when Postgres is away, `StorageFull` when it has no room left and
        `StatementFailed` for everything else, which is our own mistake.
        """
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    text(
                        f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"
                    )
                )
                yield connection
        except (DBAPIError, psycopg.Error) as error:
            translated = _translated(error)
            if isinstance(translated, StatementFailed):
                raise translated.with_traceback(error.__traceback__) from None
            raise translated from error
        except PoolTimeout as error:
            raise DatabaseUnavailable("All database connections are busy; try again shortly.") from error

    def answers(self) -> bool:
        """Whether Postgres answers a trivial question now."""
        try:
            with self.transaction() as connection:
                connection.execute(text("SELECT 1"))
        except (DatabaseUnavailable, StorageFull):
            return False
        return True

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """Return psycopg's own connection inside this transaction, for COPY."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101  the URL names the driver
    return raw


def lock_person(connection: Connection, person_id: int) -> None:
    """Wait until no other transaction writes for this person; the lock ends with the transaction.

    What is held is compared with what came and then written without a unique-key conflict in between, so there
    is one writer per person at a time, across all instances on this database.
    """
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:space, :person)"), {"space": 0x48B, "person": person_id % 2**31}
    )


def _with_driver(url: str) -> str:
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def _translated(error: DBAPIError | psycopg.Error) -> Exception:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if getattr(cause, "sqlstate", None) == _DISK_FULL:
        return StorageFull()
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseUnavailable()
    if isinstance(cause, psycopg.Error):
        return StatementFailed(cause.sqlstate, cause.diag.message_primary or type(cause).__name__)
    return StatementFailed(None, type(error).__name__)

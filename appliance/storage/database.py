"""The way to Postgres: connections, transactions, and the errors of the driver told in our own words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog
from psycopg.errors import ConnectionTimeout
from sqlalchemy import Connection, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from appliance.foundation.errors import DatabaseUnavailable, DependencyError, StatementTimedOut, StorageFull
from appliance.storage.pulse import ANSWERS_WITHIN_S, BriefConnection, Pulse, WatchedConnection
from appliance.storage.slow import TimedCursor, naming_request

STATEMENT_TIMEOUT_MS = 120_000
LOCK_TIMEOUT_MS = 30_000
_LIMITS = f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"
# Longer than any upload is read between two statements, and then the server lets others write for the person: the
# computer that holds the lock was put to sleep, or is gone without a word.
SILENT_WRITER_MS = 600_000
POOL_TIMEOUT_S = 3
# For a server elsewhere: notice within half a minute that the line to it is dead, although nobody closed it.
_LINE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# What Postgres says, and how long it will be so: only words that are true of every such refusal.
_AWAY = {
    "25006": "The database takes no changes now: it is a standby, or was made read-only.",
    "25P03": "The database gave up waiting, as after a sleep of this computer; try again shortly.",
    "40001": "Two pieces of work got into each other's way; try again shortly.",
    "40P01": "Two pieces of work got into each other's way; try again shortly.",
    "53200": "The database is out of memory; try again shortly.",
    "53300": "The database has no connection left to give; try again shortly.",
    "55P03": "The database is busy with other work on the same data; try again shortly.",
    "57P01": "The database is being stopped; try again shortly.",
    "57P02": "The database stopped after a crash and is starting again; try again shortly.",
    "57P03": "The database is starting; try again shortly.",
}
# Of others: connection, authorization, rollback, resources, an operator's doing, the system outside.
_CLASSES_OF_TROUBLE = ("08", "28", "40", "53", "57", "58")
_DISK_FULL = "53100"
_TOOK_TOO_LONG = "57014"
# A refusal to connect carries no code, and its words are in the server's language: these are the English ones.
_REFUSALS = {
    "too many clients": "53300",
    "remaining connection slots": "53300",
    "too many connections": "53300",
    "starting up": "57P03",
    "not yet accepting connections": "57P03",
    "shutting down": "57P01",
    "in recovery mode": "57P02",
}
_SILENT = "The database does not answer: it hangs, or the way to it is cut; try again shortly."

log = structlog.get_logger("hearthbeat.storage")


class StatementFailed(Exception):
    """Postgres refused a statement. Its own error quotes the row; this one can go to the log."""

    def __init__(self, sqlstate: str | None, sentence: str) -> None:
        super().__init__(f"{sqlstate}: {sentence}")
        self.sqlstate = sqlstate


class Database:
    """A pool of connections to one Postgres."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.url = url
        self._on_this_thread = threading.local()
        self._engine = create_engine(
            _with_driver(url),
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=POOL_TIMEOUT_S,
            pool_pre_ping=True,
            hide_parameters=True,  # they are health values, and errors go to the log
            # No server-side prepared statements: behind pgbouncer a connection may change under us.
            connect_args=_LINE
            | {
                "connect_timeout": ANSWERS_WITHIN_S,
                "prepare_threshold": None,
                "cursor_factory": TimedCursor,
            },
        )
        self._pulse = Pulse(self._brief_connection)
        pulse = self._pulse

        class Pooled(WatchedConnection):
            pulse = self._pulse

        @event.listens_for(self._engine, "do_connect")
        def connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> Pooled:
            if pulse.silent and pulse.look():
                raise psycopg.OperationalError("the server does not answer")
            return Pooled.connect(*arguments, **options)

        @event.listens_for(self._engine, "checkin")
        def limit_again(raw: Any, _record: Any) -> None:
            if raw is not None:
                raw.is_limited = True

    @contextmanager
    def transaction(self, *, own: bool = False) -> Iterator[Connection]:
        """Yield a connection inside one transaction: committed at the end, rolled back on any error.

        `own` is for what writes where others only read: it does not take part in `shared_reading`.

        Raises `DatabaseUnavailable` when Postgres is away, and within 5 s when it hangs, `StatementTimedOut` when
        this work took too long, `StorageFull` when it has no room left and `StatementFailed` for everything else,
        which is our own mistake.
        """
        shared = None if own else self._shared
        with self._in_our_words():
            if shared is not None:
                yield shared
                return
            with self._engine.begin() as connection:
                connection.exec_driver_sql(_LIMITS + naming_request())
                yield connection

    @contextmanager
    def shared_reading(self) -> Iterator[None]:
        """Let the transactions of this thread until the end be one, which may change nothing.

        What is put together from a dozen questions then costs one round trip a question instead of five. Raises as
        `transaction` does.
        """
        if self._shared is not None:
            yield
            return
        with self._in_our_words(), self._engine.connect() as connection:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY; " + _LIMITS + naming_request())
            self._on_this_thread.connection = connection
            try:
                yield
            finally:
                self._on_this_thread.connection = None

    @property
    def _shared(self) -> Connection | None:
        return getattr(self._on_this_thread, "connection", None)

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        if self._pulse.silent and self._pulse.look():
            raise DatabaseUnavailable(_SILENT)
        try:
            yield
        except (DBAPIError, psycopg.Error) as error:
            translated = self._translated(error)
            if isinstance(translated, StatementFailed):
                raise translated.with_traceback(error.__traceback__) from None
            raise translated from error
        except PoolTimeout as error:
            raise DatabaseUnavailable("All database connections are busy; try again shortly.") from error

    @property
    def trouble(self) -> str | None:
        """Why Postgres cannot be used now, in one sentence, having asked it; None when it can."""
        try:
            with self.transaction() as connection:
                connection.execute(text("SELECT 1"))
        except DependencyError as error:
            return error.detail
        return None

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()

    def _translated(self, error: DBAPIError | psycopg.Error) -> Exception:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = _sqlstate(cause)
        if code == _DISK_FULL:
            return StorageFull()
        if code == _TOOK_TOO_LONG:
            return StatementTimedOut()
        if code in _AWAY:
            return DatabaseUnavailable(_AWAY[code])
        if isinstance(cause, ConnectionTimeout):
            self._pulse.found_silent()
        if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError) and not _is_our_mistake(
            error
        ):
            return DatabaseUnavailable(_SILENT) if self._pulse.silent else DatabaseUnavailable()
        if isinstance(cause, psycopg.Error):
            return StatementFailed(cause.sqlstate, cause.diag.message_primary or type(cause).__name__)
        return StatementFailed(None, type(error).__name__)

    def _brief_connection(self) -> BriefConnection:
        arguments, options = self._engine.dialect.create_connect_args(make_url(_with_driver(self.url)))
        return BriefConnection.connect(
            *arguments, **options, connect_timeout=ANSWERS_WITHIN_S, autocommit=True, prepare_threshold=None
        )


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """Return psycopg's own connection inside this transaction, for COPY."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101  the URL names the driver
    return raw


def lift_time_limits(connection: Connection) -> None:
    """Let the statements of this transaction from now on, and the pauses between them, take as long as they take.

    A server that hangs is noticed all the same.
    """
    connection.execute(
        text("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
    )
    raw = driver_connection(connection)
    if isinstance(raw, WatchedConnection):
        raw.is_limited = False


def lock_person(connection: Connection, person_id: int) -> None:
    """Wait until no other transaction writes for this person; the lock ends with the transaction.

    What is held is compared with what came and then written without a unique-key conflict in between, so there
    is one writer per person at a time, across all instances on this database.
    """
    connection.execute(
        text(
            "SELECT set_config('idle_in_transaction_session_timeout', :silent_ms, true),"
            " pg_advisory_xact_lock(:space, :person)"
        ),
        {"silent_ms": str(SILENT_WRITER_MS), "space": 0x48B, "person": person_id % 2**31},
    )


def _with_driver(url: str) -> str:
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def _is_our_mistake(error: DBAPIError | psycopg.Error) -> bool:
    """Whether an error of operation is no trouble of the server's or of the way to it.

    Postgres counts limits among these (an index entry too large), and the driver what it was misused for: then the
    connection is as well as before. Trying again would fail again, and nobody would be told why.
    """
    code = _sqlstate(error.orig if isinstance(error, DBAPIError) else error)
    if code is not None:
        return not code.startswith(_CLASSES_OF_TROUBLE)
    return isinstance(error, DBAPIError) and error.statement is not None and not error.connection_invalidated


def _sqlstate(cause: BaseException | None) -> str | None:
    if (code := getattr(cause, "sqlstate", None)) is not None or not isinstance(cause, psycopg.Error):
        return code
    return next((code for words, code in _REFUSALS.items() if words in str(cause)), None)

"""Whole databases on a server: made, dropped and exchanged, so that a restore happens beside the present one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from appliance.foundation.errors import BackupFailed, DatabaseUnavailable

_MAINTENANCE = "postgres"
_LONGEST_NAME = 63  # bytes, Postgres' own limit


class Neighbours:
    """The databases beside ours on the same server: one being filled, and one that was replaced.

    `url` is our database's. Every method raises `BackupFailed` with what the server says and `DatabaseUnavailable`
    when it is away.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.name = self._url.database or ""
        self.fresh = _beside(self.name, "restoring")
        self.replaced = _beside(self.name, "replaced")

    def url_of(self, name: str) -> str:
        """Return the address of another database on this server."""
        return "postgresql+psycopg" + _libpq(self._url.set(database=name))

    def make_fresh(self) -> str:
        """Make the database to restore into, empty, and return its address."""
        self.tidy()
        with self._server() as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.fresh)))
        return self.url_of(self.fresh)

    def swap(self) -> None:
        """Let the fresh database take our name, all at once or not at all; ours is the replaced one then."""
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        with self._server() as server, server.transaction():
            server.execute(rename.format(sql.Identifier(self.name), sql.Identifier(self.replaced)))
            server.execute(rename.format(sql.Identifier(self.fresh), sql.Identifier(self.name)))

    def tidy(self) -> None:
        """Drop what a restore left, finished or not."""
        with self._server() as server:
            for name in (self.fresh, self.replaced):
                drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
                server.execute(drop.format(sql.Identifier(name)))

    def others(self) -> int:
        """Return how many clients are connected to our database."""
        with self._server() as server:
            row = server.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
                [self.name],
            ).fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _server(self) -> Iterator[psycopg.Connection[Any]]:
        address = "postgresql" + _libpq(self._url.set(database=_MAINTENANCE))
        try:
            with psycopg.connect(address, autocommit=True, connect_timeout=5) as server:
                server.execute("SET client_min_messages = error")
                yield server
        except psycopg.OperationalError as error:
            if error.sqlstate is None:
                raise DatabaseUnavailable from error
            raise _refused(error) from error
        except psycopg.Error as error:
            raise _refused(error) from error


def _libpq(url: URL) -> str:
    """Return an address without its scheme, spelt so that libpq reads it too: spaces are %20 to it, never a plus."""
    place = quote(url.username or "", safe="")
    if url.password is not None:
        place += ":" + quote(str(url.password), safe="")
    host = f"[{url.host}]" if url.host and ":" in url.host else url.host or ""
    port = f":{url.port}" if url.port else ""
    options = f"?{urlencode(url.query, doseq=True, quote_via=quote)}" if url.query else ""
    return f"://{place}@{host}{port}/{quote(url.database or '', safe='')}{options}"


def _refused(error: psycopg.Error) -> BackupFailed:
    said = error.diag.message_primary or type(error).__name__
    return BackupFailed(
        f"The database server did not let us exchange databases: {said}. The role in database_url needs the right "
        "CREATEDB, must own its database, must be able to connect to the database “postgres”, and nobody else may be "
        "connected to ours."
    )


def _beside(name: str, what: str) -> str:
    return name.encode()[: _LONGEST_NAME - len(what) - 1].decode(errors="ignore") + "_" + what

"""Brings the schema to this version at start, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from appliance.foundation.errors import DataFolderNewer, DependencyError, HostError, MigrationFailed
from appliance.storage.database import Database, lift_time_limits

MINIMUM_SERVER = 150_000
_LOCK = 0x48B0001


def migrate(database: Database, *, save: Callable[[str], str] | None = None) -> str | None:
    """Apply what is missing; return the version the schema had before, or None if it was up to date.

    Before a schema with data in it is changed, `save` is told the version to come and returns where it keeps a copy.
    Several instances may start at once: one migrates, the others wait. Raises `DataFolderNewer` when a later
    Hearthbeat wrote the schema, `MigrationFailed` (everything rolled back) and `HostError` for a server that is away,
    takes no changes, or is too old.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _telling_what_is_away(), database.transaction() as connection:
        _require_server(connection)
        # A table of years takes what it takes, and so does the other instance that is at it.
        lift_time_limits(connection)
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        held = MigrationContext.configure(connection).get_current_revision()
        script = ScriptDirectory.from_config(config)
        if held == script.get_current_head():
            return None
        if held is not None and held not in {revision.revision for revision in script.walk_revisions()}:
            raise DataFolderNewer(
                f"The database has schema {held}, which a newer Hearthbeat made; install that version or restore a backup."
            )
        saved = save(script.get_current_head() or "") if save is not None and held is not None else None
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except (SQLAlchemyError, CommandError) as error:
            raise MigrationFailed(
                f"The database could not be brought from schema {held or 'nothing'} to this version ({_reason(error)});"
                " it is as it was. Start the version you had before, and report this sentence with the new one."
                + (f" A backup of before is {saved}." if saved else "")
            ) from error
        return held or ""


@contextmanager
def _telling_what_is_away() -> Iterator[None]:
    """At the start nobody can try again shortly: say what the driver says, which names no secret."""
    try:
        yield
    except DependencyError as away:
        cause = away.__cause__.orig if isinstance(away.__cause__, DBAPIError) else away.__cause__
        said = f" ({' '.join(str(cause).split())})" if cause is not None else ""
        raise HostError(f"{away.detail.rstrip('.')}{said}; look after it and start again.") from away


def _reason(error: Exception) -> str:
    """Return the server's own words without the statement."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    diagnosis = getattr(cause, "diag", None)
    return (diagnosis and diagnosis.message_primary) or " ".join(str(cause).split())


def _require_server(connection: Connection) -> None:
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if version < MINIMUM_SERVER:
        raise HostError(f"Postgres {version // 10_000} is too old; Hearthbeat needs 15 or newer.")

"""Brings the schema to this version at start, in one transaction."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from appliance.foundation.errors import DataFolderNewer, HostError, MigrationFailed
from appliance.storage.database import Database

MINIMUM_SERVER = 150_000
_LOCK = 0x48B0001


def migrate(database: Database) -> str | None:
    """Apply what is missing; return the version the schema had before, or None if it was up to date.

    Several instances may start at once: one migrates, the others wait. Raises `DataFolderNewer` when a later
    Hearthbeat wrote the schema, `MigrationFailed` (everything rolled back) and `HostError` for a server too old.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.transaction() as connection:
        _require_server(connection)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        held = MigrationContext.configure(connection).get_current_revision()
        script = ScriptDirectory.from_config(config)
        if held == script.get_current_head():
            return None
        if held is not None and held not in {revision.revision for revision in script.walk_revisions()}:
            raise DataFolderNewer(
                f"The database has schema {held}, which a newer Hearthbeat made; install that version or restore a backup."
            )
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except (SQLAlchemyError, CommandError) as error:
            raise MigrationFailed(
                f"The database could not be brought from schema {held or 'nothing'} to this version; it is as it was. {error}"
            ) from error
        return held or ""


def _require_server(connection: Connection) -> None:
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if version < MINIMUM_SERVER:
        raise HostError(f"Postgres {version // 10_000} is too old; Hearthbeat needs 15 or newer.")

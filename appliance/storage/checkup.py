"""What the doctor asks the database: small questions over everybody's data, none of them about values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select, text

from appliance.domain.upload import IMPORTED, UploadState
from appliance.storage.tables import quarantine, upload


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job whose newest run failed, with what that one said."""

    name: str
    at: datetime
    told: str


@dataclass(frozen=True, slots=True)
class UploadStates:
    """Uploads: when the newest came, how many wait and since when, and how many lately were given up or refused."""

    newest_at: datetime | None
    waiting: int
    waiting_since: datetime | None
    failed: int
    refused: int


def schema_gap(connection: Connection) -> str | None:
    """Return in one sentence how the schema differs from this version's, or None."""
    held = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    if held == script.get_current_head():
        return None
    if held is None:
        return "The database is empty; the next start fills in its tables."
    if held in {revision.revision for revision in script.walk_revisions()}:
        return f"The database has schema {held}; the next start brings it to this version."
    return f"The database has schema {held}, which a newer Hearthbeat made."


def time_of_database(connection: Connection) -> datetime:
    """Return what Postgres takes for the present."""
    told: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return told


def upload_states(connection: Connection, since: datetime) -> UploadStates:
    """Return how the uploads of everybody stand; `failed` and `refused` count those received since."""
    lately = upload.c.received_at >= since
    # An import is worked on by whoever began it, and no worker waits for it.
    waits = (upload.c.state == UploadState.RECEIVED) & (upload.c.content_type != IMPORTED)
    row = connection.execute(
        select(
            func.max(upload.c.received_at),
            func.count().filter(waits),
            func.min(upload.c.received_at).filter(waits),
            func.count().filter(lately, upload.c.state == UploadState.FAILED),
            func.count().filter(lately, upload.c.state == UploadState.REFUSED),
        )
    ).one()
    return UploadStates(*row)


def quarantined(connection: Connection, since: datetime) -> tuple[int, int]:
    """Return how many items are in quarantine, and how many of them came since."""
    row = connection.execute(
        select(func.count(), func.count().filter(quarantine.c.first_seen_at >= since))
    ).one()
    return row[0], row[1]


def failed_jobs(connection: Connection) -> list[FailedJob]:
    """Return the jobs whose newest finished run failed."""
    rows = connection.execute(
        text(
            """
            SELECT * FROM (
                SELECT DISTINCT ON (name) name, started_at, outcome, result FROM job_run WHERE outcome <> 'running'
                ORDER BY name, started_at DESC, job_run_id DESC
            ) AS newest
            WHERE outcome = 'failed' ORDER BY name
            """
        )
    )
    return [FailedJob(row.name, row.started_at, str(row.result.get("told", ""))) for row in rows]

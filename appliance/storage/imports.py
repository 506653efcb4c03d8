"""Imports, each beside the upload that what it brought belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, exists, insert, select, update

from appliance.domain.importing import ImportRun, ImportState
from appliance.domain.upload import Counts
from appliance.storage.tables import import_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def add(connection: Connection, run: ImportRun, digest: bytes) -> None:
    """Note a new import."""
    connection.execute(
        insert(import_run).values(
            person_id=run.person_id, upload_id=run.upload_id, digest=digest, name=run.name, **_values(run)
        )
    )


def note(connection: Connection, run: ImportRun) -> None:
    """Write how far an import has come."""
    connection.execute(
        update(import_run)
        .where(import_run.c.person_id == run.person_id, import_run.c.upload_id == run.upload_id)
        .values(**_values(run))
    )


def ask_to_stop(connection: Connection, run: ImportRun, *, asked: bool = True) -> None:
    """Ask an import to stop after the part it is at, or ask no more."""
    connection.execute(
        update(import_run)
        .where(import_run.c.person_id == run.person_id, import_run.c.upload_id == run.upload_id)
        .values(stop_asked=asked)
    )


def go_on(connection: Connection, run: ImportRun, seen_at: datetime) -> bool | None:
    """Write how far an import has come, if it is still at work and was last seen then.

    Return whether it is asked to stop, None where it was not so and nothing is written.
    """
    asked: bool | None = connection.execute(
        update(import_run)
        .where(
            import_run.c.person_id == run.person_id,
            import_run.c.upload_id == run.upload_id,
            import_run.c.state == ImportState.RUNNING,
            import_run.c.seen_at == seen_at,
        )
        .values(**_values(run))
        .returning(import_run.c.stop_asked)
    ).scalar_one_or_none()
    return asked


def of_file(connection: Connection, person_id: int, digest: bytes) -> ImportRun | None:
    """Return the newest import of a file that still counts.

    It does not where another one was taken back since it began: what both told went with that one.
    """
    other = import_run.alias()
    lost_some = exists().where(
        other.c.person_id == import_run.c.person_id,
        other.c.upload_id != import_run.c.upload_id,
        other.c.state == ImportState.UNDONE,
        other.c.elements > 0,
        other.c.finished_at > import_run.c.started_at,
    )
    row = connection.execute(
        select(import_run)
        .where(
            import_run.c.person_id == person_id,
            import_run.c.digest == digest,
            import_run.c.state != ImportState.UNDONE,
            (import_run.c.state == ImportState.RUNNING) | ~lost_some,
        )
        .order_by(import_run.c.upload_id.desc())
        .limit(1)
    ).one_or_none()
    return _run(row) if row else None


def find(connection: Connection, person_id: int, upload_id: int) -> ImportRun | None:
    """Return one import of this person."""
    row = connection.execute(
        select(import_run).where(import_run.c.person_id == person_id, import_run.c.upload_id == upload_id)
    ).one_or_none()
    return _run(row) if row else None


def listed(connection: Connection, person_id: int) -> Sequence[ImportRun]:
    """Return all imports of a person, newest first."""
    rows = connection.execute(
        select(import_run).where(import_run.c.person_id == person_id).order_by(import_run.c.upload_id.desc())
    )
    return [_run(row) for row in rows]


def _values(run: ImportRun) -> dict[str, Any]:
    return {
        "state": run.state,
        "done": run.done,
        "total": run.total,
        "elements": run.elements,
        "bytes_per_s": run.bytes_per_s,
        "content": dict(run.content),
        "kinds": {name: counts.as_dict() for name, counts in run.kinds.items()},
        "metrics": {name: counts.as_dict() for name, counts in run.metrics.items()},
        "started_at": run.started_at,
        "seen_at": run.seen_at,
        "finished_at": run.finished_at,
    }


def _run(row: Any) -> ImportRun:
    return ImportRun(
        person_id=row.person_id,
        upload_id=row.upload_id,
        name=row.name,
        state=ImportState(row.state),
        started_at=row.started_at,
        seen_at=row.seen_at,
        done=row.done,
        total=row.total,
        elements=row.elements,
        bytes_per_s=row.bytes_per_s,
        finished_at=row.finished_at,
        content=row.content,
        kinds={name: Counts(**counts) for name, counts in row.kinds.items()},
        metrics={name: Counts(**counts) for name, counts in row.metrics.items()},
        stop_asked=row.stop_asked,
    )

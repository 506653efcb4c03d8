"""Reads of records that are neither workouts nor sleep: the lists, one with its curves, and its earlier versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appliance.domain.record import Kind
from appliance.foundation.errors import NotFound
from appliance.storage import records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from appliance.storage.database import Database
    from appliance.storage.records import StoredTrack

KINDS = (
    Kind.ECG,
    Kind.STATE_OF_MIND,
    Kind.MEDICATION,
    Kind.SYMPTOM,
    Kind.CYCLE,
    Kind.HEART_NOTIFICATION,
)
# What only Apple's export tells; no page shows it yet.
OF_EXPORTS = (Kind.EVENT, Kind.CORRELATION, Kind.ACTIVITY_SUMMARY)


@dataclass(frozen=True, slots=True)
class KindHeld:
    """What is held of one kind: how many, when the first began, and the newest as a row."""

    held: int
    first_at: datetime
    newest: Row[Any]


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Records, newest first, and the place to go on from (None at the end)."""

    rows: Sequence[Row[Any]]
    following: tuple[datetime, int] | None


@dataclass(frozen=True, slots=True)
class WholeRecord:
    """One record as held, with its tracks and the versions it had before, newest first."""

    row: Row[Any]
    tracks: list[StoredTrack]
    revisions: list[Row[Any]]


class Records:
    """Answers questions about one person's records. What another person's id names does not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def overview(self, person_id: int) -> dict[Kind, KindHeld]:
        """Return what is held of each kind that is held at all."""
        with self._database.transaction() as connection:
            rows = records.overview(connection, person_id)
        return {
            Kind(row.kind): KindHeld(row.held, row.first_at, row) for row in rows if Kind(row.kind) in KINDS
        }

    def of_span(self, person_id: int, start: datetime, end: datetime, limit: int) -> list[Row[Any]]:
        """Return records of every kind that start in [start, end), oldest first."""
        with self._database.transaction() as connection:
            return records.of_kinds(connection, person_id, KINDS, start, end, limit)

    def curves(self, person_id: int, record_ids: Sequence[int], name: str) -> dict[int, StoredTrack]:
        """Return the track of this name of several records, by record; absent where a record has none."""
        if not record_ids:
            return {}
        with self._database.transaction() as connection:
            return records.tracks_named(connection, person_id, record_ids, name)

    def listed(
        self,
        person_id: int,
        name: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        before: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> RecordPage:
        """Return records of the named kind that start in [start, end), newest first. Raises `NotFound`."""
        kind = _kind(name)
        with self._database.transaction() as connection:
            rows = records.page(
                connection, person_id, kind, start=start, end=end, before=before, limit=limit + 1
            )
        following = (rows[limit - 1].start_at, rows[limit - 1].record_id) if len(rows) > limit else None
        return RecordPage(rows[:limit], following)

    def find(self, person_id: int, name: str, record_id: int) -> WholeRecord:
        """Return one record of the named kind. Raises `NotFound`."""
        kind = _kind(name)
        with self._database.transaction() as connection:
            row = records.find(connection, person_id, kind, record_id)
            if row is None:
                raise NotFound(f"There is no record {record_id} of the kind “{kind}”.")
            return WholeRecord(
                row,
                records.tracks(connection, person_id, record_id),
                records.revisions(connection, person_id, record_id),
            )


def _kind(name: str) -> Kind:
    there_are = (*KINDS, *OF_EXPORTS)
    for kind in there_are:
        if kind == name:
            return kind
    raise NotFound(f"There are no records of the kind “{name[:80]}” here; there are: {', '.join(there_are)}.")

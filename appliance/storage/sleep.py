"""Sleep as held: segments in their own table, sessions among the records.

A session's record starts with its first known instant and a segment is at most a day long, so what belongs to a
stretch of time is found by its start with a margin of some days.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select, text

from appliance.domain.localday import instant, microseconds
from appliance.domain.record import Kind
from appliance.domain.sleep import Segment, Session, SleepStage
from appliance.storage.database import driver_connection
from appliance.storage.tables import record, sleep_segment


def sessions_between(connection: Connection, person_id: int, first: int, last: int) -> dict[int, Session]:
    """Return sessions that start within the stretch (µs since 1970 UTC, both included), by the id of their record."""
    return _sessions(connection, person_id, record.c.start_at.between(instant(first, 0), instant(last, 0)))


def sessions_of_upload(connection: Connection, person_id: int, upload_id: int) -> dict[int, Session]:
    """Return sessions whose present version came with this upload, by the id of their record."""
    return _sessions(connection, person_id, record.c.upload_id == upload_id)


def segments_between(connection: Connection, person_id: int, first: int, last: int) -> list[Segment]:
    """Return segments that start within the stretch (µs since 1970 UTC, both included), by start."""
    return _segments(
        connection, person_id, sleep_segment.c.start_at.between(instant(first, 0), instant(last, 0))
    )


def segments_of_upload(connection: Connection, person_id: int, upload_id: int) -> list[Segment]:
    """Return segments that came with this upload, by start."""
    return _segments(connection, person_id, sleep_segment.c.upload_id == upload_id)


def _sessions(connection: Connection, person_id: int, which: ColumnElement[bool]) -> dict[int, Session]:
    rows = connection.execute(
        select(
            record.c.record_id,
            record.c.content,
            record.c.source,
            record.c.utc_offset,
            record.c.flags,
            record.c.upload_id,
        )
        .where(record.c.person_id == person_id, record.c.kind == Kind.SLEEP, which)
        .order_by(record.c.start_at, record.c.record_id)
    )
    return {
        row.record_id: Session.from_content(row.content, row.source, row.utc_offset, row.flags, row.upload_id)
        for row in rows
    }


def _segments(connection: Connection, person_id: int, which: ColumnElement[bool]) -> list[Segment]:
    rows = connection.execute(
        select(sleep_segment)
        .where(sleep_segment.c.person_id == person_id, which)
        .order_by(sleep_segment.c.start_at, sleep_segment.c.source, sleep_segment.c.stage)
    )
    return [
        Segment(
            source=row.source,
            stage=SleepStage(row.stage),
            start=microseconds(row.start_at),
            end=microseconds(row.end_at),
            offset=row.utc_offset,
            flags=tuple(row.flags),
            upload_id=row.upload_id,
        )
        for row in rows
    ]


def write_segments(
    connection: Connection, person_id: int, new: Iterable[Segment], gone: Iterable[Segment]
) -> None:
    """Remove the segments that make way, then write the new ones. The caller holds the person's lock."""
    gone = list(gone)
    if gone:
        connection.execute(
            text(
                "DELETE FROM sleep_segment AS s USING unnest(CAST(:sources AS text[]), CAST(:stages AS text[]),"
                " CAST(:starts AS timestamptz[])) AS gone(source, stage, start_at) WHERE s.person_id = :person"
                " AND s.source = gone.source AND s.stage = gone.stage AND s.start_at = gone.start_at"
            ),
            {
                "person": person_id,
                "sources": [segment.source for segment in gone],
                "stages": [segment.stage.value for segment in gone],
                "starts": [instant(segment.start, 0) for segment in gone],
            },
        )
    told = list(new)
    if told:
        with (
            driver_connection(connection).cursor() as cursor,
            cursor.copy(f"COPY sleep_segment ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT binary)") as copy,
        ):
            copy.set_types(list(_COLUMNS.values()))
            for segment in told:
                copy.write_row(
                    (
                        person_id,
                        segment.source,
                        segment.stage.value,
                        instant(segment.start, 0),
                        instant(segment.end, 0),
                        segment.offset,
                        list(segment.flags),
                        segment.upload_id,
                    )
                )


# Binary rows say of what type each field is.
_COLUMNS = {
    "person_id": "int8",
    "source": "text",
    "stage": "text",
    "start_at": "timestamptz",
    "end_at": "timestamptz",
    "utc_offset": "int4",
    "flags": "text[]",
    "upload_id": "int8",
}


def latest_start(connection: Connection, person_id: int, before: datetime) -> datetime | None:
    """Return the last instant before this one at which any sleep starts."""
    of_sessions = select(func.max(record.c.start_at)).where(
        record.c.person_id == person_id, record.c.kind == Kind.SLEEP, record.c.start_at < before
    )
    of_segments = select(func.max(sleep_segment.c.start_at)).where(
        sleep_segment.c.person_id == person_id, sleep_segment.c.start_at < before
    )
    found = connection.execute(
        select(func.greatest(of_sessions.scalar_subquery(), of_segments.scalar_subquery()))
    ).scalar_one()
    return found if isinstance(found, datetime) else None

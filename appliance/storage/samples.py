"""Samples: the hot table. Written by COPY, read back by COPY, revised with their history kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import sql
from sqlalchemy import Connection, Row, and_, select, text, tuple_

from appliance.domain.sample import Batch
from appliance.storage import binary
from appliance.storage.database import driver_connection
from appliance.storage.tables import sample, series, source


class Window(NamedTuple):
    """A stretch of one series, both ends included, µs since 1970."""

    series_id: int
    first: int
    last: int


class NewRows(NamedTuple):
    """Positions of a batch to be written into one series."""

    series_id: int
    batch: Batch
    positions: Sequence[int]


def insert_rows(connection: Connection, person_id: int, upload_id: int, rows: Iterable[NewRows]) -> None:
    """Write samples that are not held yet. The caller holds the person's lock and has looked."""
    with (
        driver_connection(connection).cursor() as cursor,
        cursor.copy(f"COPY sample ({binary.SAMPLE_COLUMNS}) FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(binary.HEADER)
        for series_id, batch, positions in rows:
            copy.write(binary.pack_samples(batch, positions, person_id, series_id, upload_id))
        copy.write(binary.TRAILER)


def held(connection: Connection, person_id: int, windows: Sequence[Window]) -> Iterable[binary.HeldRow]:
    """Return the samples in these windows, by window and then by start."""
    if not windows:
        return ()
    query = sql.SQL(
        """
        COPY (
            SELECT {columns}
            FROM unnest({ids}::bigint[], {firsts}::bigint[], {lasts}::bigint[]) WITH ORDINALITY AS wanted(id, first, last, n)
            CROSS JOIN LATERAL (
                SELECT * FROM sample
                WHERE person_id = {person} AND series_id = wanted.id
                  AND start_at >= timestamptz 'epoch' + wanted.first * interval '1 microsecond'
                  AND start_at <= timestamptz 'epoch' + wanted.last * interval '1 microsecond'
                ORDER BY start_at
                OFFSET 0 -- keeps the planner at one index range per window
            ) AS s
            ORDER BY wanted.n, start_at
        ) TO STDOUT (FORMAT binary)
        """
    ).format(
        columns=sql.SQL(binary.HELD_COLUMNS),
        person=sql.Literal(person_id),
        ids=sql.Literal([window.series_id for window in windows]),
        firsts=sql.Literal([window.first for window in windows]),
        lasts=sql.Literal([window.last for window in windows]),
    )
    with driver_connection(connection).cursor() as cursor, cursor.copy(query) as copy:
        return list(binary.held_rows(b"".join(copy)))


def revise_rows(
    connection: Connection, person_id: int, upload_id: int, at: datetime, rows: Iterable[NewRows]
) -> None:
    """Replace values, keeping each earlier one as a revision. The first offset told stays."""
    changes = [_change(series_id, batch, position) for series_id, batch, positions in rows for position in positions]
    if not changes:
        return
    shared = {"person": person_id, "upload": upload_id, "at": at}
    connection.execute(_KEEP_REVISION, [shared | change for change in changes])
    connection.execute(_REVISE, [shared | change for change in changes])


def _change(series_id: int, batch: Batch, at: int) -> dict[str, Any]:
    minimum, maximum = batch.bounds(at)
    extra = batch.extra.get(at)
    return {
        "series": series_id,
        "start": batch.start[at],
        "duration": batch.duration[at],
        "value": batch.value[at],
        "minimum": minimum,
        "maximum": maximum,
        "extra": None if extra is None else json.dumps(extra),
    }


_START = "timestamptz 'epoch' + CAST(:start AS bigint) * interval '1 microsecond'"
_KEEP_REVISION = text(
    f"""
    INSERT INTO revision
        (person_id, series_id, start_at, replaced_by, upload_id, replaced_at, duration, value, min, max, extra)
    SELECT person_id, series_id, start_at, :upload, upload_id, :at, duration, value, min, max, extra
    FROM sample WHERE person_id = :person AND series_id = :series AND start_at = {_START}
    ON CONFLICT DO NOTHING
    """  # noqa: S608  fixed text only
)
_REVISE = text(
    f"""
    UPDATE sample SET duration = :duration, value = :value, min = :minimum, max = :maximum, upload_id = :upload,
        extra = CAST(:extra AS jsonb)
    WHERE person_id = :person AND series_id = :series AND start_at = {_START}
    """  # noqa: S608  fixed text only
)


def page(
    connection: Connection,
    person_id: int,
    metric: str,
    *,
    start: datetime | None,
    end: datetime | None,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[Row[Any]]:
    """Return samples of a metric in [start, end), ordered by start and series, those after the cursor's place."""
    query = (
        select(
            sample.c.start_at,
            sample.c.utc_offset,
            sample.c.duration,
            sample.c.value,
            sample.c.min,
            sample.c.max,
            sample.c.upload_id,
            sample.c.extra,
            sample.c.series_id,
            source.c.name.label("source"),
            series.c.grain,
            series.c.unit,
        )
        .join_from(
            series, source, and_(series.c.person_id == source.c.person_id, series.c.source_id == source.c.source_id)
        )
        .join(sample, and_(sample.c.person_id == series.c.person_id, sample.c.series_id == series.c.series_id))
        .where(series.c.person_id == person_id, series.c.metric == metric)
        .order_by(sample.c.start_at, sample.c.series_id)
        .limit(limit)
    )
    if start is not None:
        query = query.where(sample.c.start_at >= start)
    if end is not None:
        query = query.where(sample.c.start_at < end)
    if after is not None:
        query = query.where(tuple_(sample.c.start_at, sample.c.series_id) > after)
    return list(connection.execute(query))

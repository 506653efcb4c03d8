"""Samples: the hot table. Written by COPY, read back by COPY, revised with their history kept."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, select, text, tuple_

from appliance.domain.localday import instant
from appliance.domain.sample import Batch, Stored
from appliance.domain.truth import Rows
from appliance.storage import binary
from appliance.storage.among import among
from appliance.storage.database import driver_connection
from appliance.storage.tables import revision, sample, series, source


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


def held(
    connection: Connection, person_id: int, windows: Sequence[Window], *, numbers_only: bool = False
) -> dict[int, Stored]:
    """Return what is held in these windows, by series; windows of one series are disjoint and in order.

    With `numbers_only` durations and uploads stay away (empty), which saves a third of the time. Columns travel as arrays: reading fifty thousand rows one by one takes four times as long.
    """
    if not windows:
        return {}
    with driver_connection(connection).cursor(binary=True) as cursor:
        cursor.execute(
            _HELD.format(more="" if numbers_only else _MORE),
            {
                "person": person_id,
                "ids": [window.series_id for window in windows],
                "firsts": [window.first for window in windows],
                "lasts": [window.last for window in windows],
            },
        )
        result = cursor.pgresult
        assert result is not None  # noqa: S101  a SELECT has one
        found: dict[int, Stored] = {}
        for row in range(result.ntuples):
            if result.get_value(row, 1) is not None:
                series_id = int.from_bytes(result.get_value(row, 0) or b"")
                part = _stored([result.get_value(row, column) for column in range(1, result.nfields)])
                found[series_id] = _joined(found[series_id], part) if series_id in found else part
        return found


_MORE = ", array_agg(duration), array_agg(upload_id)"
_HELD = """
    SELECT wanted.id, told.*
    FROM unnest(%(ids)s::bigint[], %(firsts)s::bigint[], %(lasts)s::bigint[]) WITH ORDINALITY AS wanted(id, first, last, n)
    CROSS JOIN LATERAL (
        SELECT array_agg(start_at), array_agg(utc_offset), count(*) - count(value), array_agg(coalesce(value, 'NaN')),
               -- Most series have no bounds at all; only a row that has one costs a place in these arrays.
               array_agg(coalesce(min, 'NaN')) FILTER (WHERE min IS NOT NULL OR max IS NOT NULL),
               array_agg(coalesce(max, 'NaN')) FILTER (WHERE min IS NOT NULL OR max IS NOT NULL),
               array_agg(start_at) FILTER (WHERE min IS NOT NULL OR max IS NOT NULL){more}
        FROM (
            SELECT * FROM sample
            WHERE person_id = %(person)s AND series_id = wanted.id
              AND start_at >= timestamptz 'epoch' + wanted.first * interval '1 microsecond'
              AND start_at <= timestamptz 'epoch' + wanted.last * interval '1 microsecond'
            ORDER BY start_at
        ) AS s
    ) AS told
    ORDER BY wanted.n
"""


def _stored(columns: Sequence[bytes | None]) -> Stored:
    start, offset, missing, value, low, high, bounded, *more = (column or b"" for column in columns)
    starts = binary.instant_array(start)
    lows: Sequence[float | None] = ()
    highs: Sequence[float | None] = ()
    if bounded:
        where = binary.instant_array(bounded)
        lows, highs = _numbers(low, has_nulls=True), _numbers(high, has_nulls=True)
        if len(where) != len(starts):
            by_start = dict(zip(where, zip(lows, highs, strict=True), strict=True))
            pairs = [by_start.get(at, (None, None)) for at in starts]
            lows, highs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return Stored(
        starts,
        binary.int_array(offset, 4),
        binary.int_array(more[0], 4) if more else (),
        _numbers(value, has_nulls=any(missing)),
        lows,
        highs,
        binary.int_array(more[1], 8) if more else (),
    )


def _numbers(array: bytes, *, has_nulls: bool) -> list[float | None]:
    numbers: list[float | None] = list(binary.double_array(array))
    return (
        [None if number is None or math.isnan(number) else number for number in numbers]
        if has_nulls
        else numbers
    )


def _joined(one: Stored, other: Stored) -> Stored:
    def bounds(first: Sequence[float | None], second: Sequence[float | None]) -> list[float | None]:
        if not first and not second:
            return []
        return [*(first or [None] * len(one)), *(second or [None] * len(other))]

    return Stored(
        [*one.start, *other.start],
        [*one.offset, *other.offset],
        [*one.duration, *other.duration],
        [*one.value, *other.value],
        bounds(one.minimum, other.minimum),
        bounds(one.maximum, other.maximum),
        [*one.upload_id, *other.upload_id],
    )


def revise_rows(
    connection: Connection, person_id: int, upload_id: int, at: datetime, rows: Iterable[NewRows]
) -> None:
    """Replace values, keeping each earlier one as a revision. The first offset told stays."""
    changes = [
        _change(series_id, batch, position) for series_id, batch, positions in rows for position in positions
    ]
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


def page_of_series(
    connection: Connection,
    person_id: int,
    series_id: int,
    *,
    start: datetime | None,
    end: datetime | None,
    after: datetime | None,
    limit: int,
) -> Sequence[Any]:
    """Return samples of one series in [start, end), ordered by start, those that start later than `after`."""
    query = (
        select(
            sample.c.start_at,
            sample.c.utc_offset,
            sample.c.duration,
            sample.c.value,
            sample.c.min,
            sample.c.max,
            sample.c.upload_id,
        )
        .where(sample.c.person_id == person_id, sample.c.series_id == series_id)
        .order_by(sample.c.start_at)
        .limit(limit)
    )
    if start is not None:
        query = query.where(sample.c.start_at >= start)
    if end is not None:
        query = query.where(sample.c.start_at < end)
    if after is not None:
        query = query.where(sample.c.start_at > after)
    return connection.execute(query).all()


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
            series,
            source,
            and_(series.c.person_id == source.c.person_id, series.c.source_id == source.c.source_id),
        )
        .join(
            sample, and_(sample.c.person_id == series.c.person_id, sample.c.series_id == series.c.series_id)
        )
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


def upload_ids(connection: Connection, person_id: int, series_id: int, rows: Rows) -> tuple[int, ...]:
    """Return the uploads behind these rows of one series, in order."""
    found = connection.execute(
        select(sample.c.upload_id)
        .distinct()
        .where(
            sample.c.person_id == person_id,
            sample.c.series_id == series_id,
            sample.c.start_at.between(instant(min(rows.start), 0), instant(max(rows.start), 0)),
        )
        .order_by(sample.c.upload_id)
    )
    return tuple(found.scalars())


def revisions(
    connection: Connection, person_id: int, series_ids: Sequence[int], start: datetime, end: datetime
) -> list[Row[Any]]:
    """Return the values samples in [start, end) of these series had before, by start and then newest first."""
    return list(
        connection.execute(
            select(revision)
            .where(
                revision.c.person_id == person_id,
                among(revision.c.series_id, series_ids),
                revision.c.start_at >= start,
                revision.c.start_at < end,
            )
            .order_by(revision.c.start_at, revision.c.replaced_by.desc())
        )
    )

"""Taking back what one upload brought and no longer says, with the values it had replaced put back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, text

from appliance.storage.among import among
from appliance.storage.tables import record, record_revision

_PLACES = "unnest(CAST(:ids AS bigint[]), CAST(:starts AS bigint[])) AS place(series_id, start)"
_AT = "timestamptz 'epoch' + place.start * interval '1 microsecond'"


class Brought(NamedTuple):
    """A stored sample that came with an upload. `start` in µs since 1970, `day` counts from 1970-01-01."""

    series_id: int
    start: int
    day: int


def samples_of(connection: Connection, person_id: int, upload_id: int) -> list[Brought]:
    """Return the places of all samples whose present value came with this upload.

    Only series of the metrics the upload told are looked through: an index on the upload would cost every upload.
    """
    rows = connection.execute(
        text(
            "SELECT series_id, (extract(epoch FROM start_at) * 1000000)::bigint AS start,"
            " (start_at AT TIME ZONE 'UTC' + utc_offset * interval '1 second')::date - date '1970-01-01' AS day"
            " FROM upload JOIN series USING (person_id) JOIN sample USING (person_id, series_id)"
            " WHERE person_id = :person AND upload.upload_id = :upload AND sample.upload_id = :upload"
            " AND series.metric = ANY(upload.metrics)"
        ),
        {"person": person_id, "upload": upload_id},
    )
    return [Brought(row.series_id, row.start, row.day) for row in rows]


def take_back_samples(
    connection: Connection, person_id: int, upload_id: int, places: Sequence[Brought]
) -> None:
    """Give these samples the value they had before this upload, or remove them where they had none.

    The caller holds the person's lock and refreshes series and rollups.
    """
    if not places:
        return
    shared = {
        "person": person_id,
        "upload": upload_id,
        "ids": [place.series_id for place in places],
        "starts": [place.start for place in places],
    }
    connection.execute(
        text(
            f"""
            WITH earlier AS (
                SELECT DISTINCT ON (r.series_id, r.start_at) r.*
                FROM {_PLACES} JOIN revision AS r
                  ON r.person_id = :person AND r.series_id = place.series_id AND r.start_at = {_AT}
                WHERE r.upload_id <> :upload
                ORDER BY r.series_id, r.start_at, r.replaced_by DESC
            ), restored AS (
                UPDATE sample AS s SET duration = e.duration, value = e.value, min = e.min, max = e.max,
                    extra = e.extra, upload_id = e.upload_id
                FROM earlier AS e
                WHERE s.person_id = :person AND s.series_id = e.series_id AND s.start_at = e.start_at
                RETURNING s.series_id, s.start_at
            )
            DELETE FROM revision AS r USING earlier AS e
            WHERE r.person_id = :person AND r.series_id = e.series_id AND r.start_at = e.start_at
              AND r.replaced_by = e.replaced_by
            """  # noqa: S608  fixed text only
        ),
        shared,
    )
    connection.execute(
        text(
            f"DELETE FROM sample AS s USING {_PLACES} WHERE s.person_id = :person"  # noqa: S608  fixed text only
            f" AND s.series_id = place.series_id AND s.start_at = {_AT} AND s.upload_id = :upload"
        ),
        shared,
    )


def take_back_everything(
    connection: Connection, person_id: int, upload_id: int, series_id: int
) -> tuple[int, list[int]]:
    """Take back all that an upload told of one series; return how many samples and which days (from 1970-01-01).

    The same as `take_back_samples` of every place, without any of them leaving the database.
    """
    names = {"person": person_id, "upload": upload_id, "series": series_id}
    places = " FROM sample WHERE person_id = :person AND series_id = :series AND upload_id = :upload"
    days = connection.execute(
        text(
            "SELECT (start_at AT TIME ZONE 'UTC' + utc_offset * interval '1 second')::date - date '1970-01-01' AS day,"
            f" count(*) AS samples{places} GROUP BY 1"
        ),
        names,
    ).all()
    if days:
        connection.execute(text(_RESTORE_SERIES), names)
        connection.execute(text(f"DELETE{places}"), names)
    connection.execute(text(_FORGET_EARLIER), names)
    return sum(row.samples for row in days), [row.day for row in days]


def remove_empty(connection: Connection, person_id: int, upload_id: int, series_id: int) -> list[int]:
    """Remove what of a series came with an upload and has no value any more, with the values it had; return the days."""
    gone = connection.execute(
        text(
            """
            WITH gone AS (
                DELETE FROM sample WHERE person_id = :person AND series_id = :series AND upload_id = :upload
                    AND value IS NULL AND min IS NULL AND max IS NULL
                RETURNING start_at, utc_offset
            ), forgotten AS (
                DELETE FROM revision AS r USING gone
                WHERE r.person_id = :person AND r.series_id = :series AND r.start_at = gone.start_at
            )
            SELECT (start_at AT TIME ZONE 'UTC' + utc_offset * interval '1 second')::date - date '1970-01-01' FROM gone
            """
        ),
        {"person": person_id, "upload": upload_id, "series": series_id},
    )
    return list(gone.scalars())


# Values of an upload that later ones replaced: nobody goes back to what has been taken back.
_FORGET_EARLIER = (
    "DELETE FROM revision WHERE person_id = :person AND series_id = :series AND upload_id = :upload"
)

_RESTORE_SERIES = """
    WITH earlier AS (
        SELECT DISTINCT ON (r.start_at) r.* FROM revision AS r JOIN sample AS s USING (person_id, series_id, start_at)
        WHERE r.person_id = :person AND r.series_id = :series AND s.upload_id = :upload AND r.upload_id <> :upload
        ORDER BY r.start_at, r.replaced_by DESC
    ), restored AS (
        UPDATE sample AS s SET duration = e.duration, value = e.value, min = e.min, max = e.max,
            extra = e.extra, upload_id = e.upload_id
        FROM earlier AS e
        WHERE s.person_id = :person AND s.series_id = :series AND s.start_at = e.start_at
        RETURNING s.start_at
    )
    DELETE FROM revision AS r USING earlier AS e
    WHERE r.person_id = :person AND r.series_id = :series AND r.start_at = e.start_at
      AND r.replaced_by = e.replaced_by
"""


def refresh_series(connection: Connection, person_id: int, series_ids: Sequence[int]) -> None:
    """Count anew what these series hold, and draw them a new generation."""
    connection.execute(
        text(
            """
            UPDATE series SET samples = told.n, first_at = told.first_at, last_at = told.last_at,
                generation = nextval('generation')
            FROM (
                SELECT wanted.id, count(s.start_at) AS n, min(s.start_at) AS first_at, max(s.start_at) AS last_at
                FROM unnest(CAST(:ids AS bigint[])) AS wanted(id)
                LEFT JOIN sample AS s ON s.person_id = :person AND s.series_id = wanted.id
                GROUP BY wanted.id
            ) AS told
            WHERE series.person_id = :person AND series.series_id = told.id
            """
        ),
        {"person": person_id, "ids": list(series_ids)},
    )


def records_of(connection: Connection, person_id: int, upload_id: int) -> dict[tuple[str, str], int]:
    """Return the ids of records whose present version came with this upload, by kind and identity."""
    rows = connection.execute(
        select(record.c.kind, record.c.identity, record.c.record_id).where(
            record.c.person_id == person_id, record.c.upload_id == upload_id
        )
    )
    return {(row.kind, row.identity): row.record_id for row in rows}


def records_replaced_by(connection: Connection, person_id: int, upload_id: int) -> set[int]:
    """Return the uploads that told versions of records which this one replaced."""
    rows = connection.execute(
        select(record_revision.c.upload_id)
        .distinct()
        .where(record_revision.c.person_id == person_id, record_revision.c.replaced_by == upload_id)
    )
    return set(rows.scalars()) - {upload_id}


def forget_earlier_records(connection: Connection, person_id: int, upload_id: int) -> None:
    """Remove versions of records that came with an upload and were replaced since."""
    connection.execute(
        delete(record_revision).where(
            record_revision.c.person_id == person_id, record_revision.c.upload_id == upload_id
        )
    )


def remove_records(connection: Connection, person_id: int, record_ids: Sequence[int]) -> None:
    """Remove records with their tracks and earlier versions."""
    if record_ids:
        connection.execute(
            delete(record).where(record.c.person_id == person_id, among(record.c.record_id, record_ids))
        )

"""Reads of many metrics' days at once, without their hours: what a page of all of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from typing import Any

from sqlalchemy import Connection, Row, text

# The hour a clock time falls into counts in proportion: nobody knows when in that hour its sum came about.
_DAYS = text(
    """
    SELECT metric, day, value, min, max,
           CASE WHEN metric = ANY(CAST(:sums AS text[])) THEN (
                SELECT sum(told * least(1, greatest(0, date_part('epoch', until_at - start) / 3600)))
                FROM unnest(hour_start, hour_value) AS hour(start, told)
           ) END AS so_far
    FROM rollup
    CROSS JOIN LATERAL (
        SELECT (CAST(day + CAST(:until AS time) AS timestamp) AT TIME ZONE 'UTC')
               - utc_offset * interval '1 second' AS until_at
    ) AS clock
    WHERE person_id = :person AND metric = ANY(CAST(:metrics AS text[])) AND day BETWEEN :first AND :last
    ORDER BY metric, day
    """
)
_NEWEST = text(
    """
    SELECT newest.*
    FROM unnest(CAST(:metrics AS text[])) AS wanted(metric)
    CROSS JOIN LATERAL (
        SELECT metric, day, utc_offset, value, min, max, count AS samples,
               hour_start[cardinality(hour_start)] AS last_hour
        FROM rollup
        WHERE person_id = :person AND metric = wanted.metric AND day <= :last
        ORDER BY day DESC LIMIT 1
    ) AS newest
    """
)
# A day told by nothing but its midnight is a number of the whole day, and comes at its end.
_FIRST_HOURS = text(
    """
    SELECT metric, count(*) FILTER (WHERE day < :day) AS days, bool_or(day = :day) AS is_in,
           percentile_disc(CAST(:share AS double precision)) WITHIN GROUP (ORDER BY clock) FILTER (WHERE day < :day) AS clock_s
    FROM (
        SELECT metric, day,
               CASE WHEN cardinality(hour_start) > 1 OR clock > 0 THEN clock ELSE 86400 END AS clock
        FROM (
            SELECT metric, day, hour_start,
                   date_part('epoch', hour_start[1] - (CAST(day AS timestamp) AT TIME ZONE 'UTC')) + utc_offset AS clock
            FROM rollup
            WHERE person_id = :person AND metric = ANY(CAST(:metrics AS text[])) AND day BETWEEN :first AND :day
        ) AS opened
    ) AS clocked
    GROUP BY metric
    """
)


def of_days(
    connection: Connection,
    person_id: int,
    metrics: Sequence[str],
    first: date,
    last: date,
    *,
    sums: Sequence[str] = (),
    until: time = time(),
) -> Sequence[Row[Any]]:
    """Return the days of these metrics, ordered by metric and day.

    `so_far` adds up the hours of those among `sums` up to a clock time where the person was; null for the others.
    """
    return connection.execute(
        _DAYS,
        {
            "person": person_id,
            "metrics": list(metrics),
            "first": first,
            "last": last,
            "sums": list(sums),
            "until": until,
        },
    ).all()


def newest(connection: Connection, person_id: int, metrics: Sequence[str], last: date) -> Sequence[Row[Any]]:
    """Return the newest day of each metric that is not after `last`, with the start of its last hour told."""
    return connection.execute(_NEWEST, {"person": person_id, "metrics": list(metrics), "last": last}).all()


def first_hours(
    connection: Connection, person_id: int, metrics: Sequence[str], first: date, day: date, share: float
) -> Sequence[Row[Any]]:
    """Return when days are usually first told: on so many `days` from `first` until before `day`.

    `clock_s` is the local clock (seconds) by which that share of those days was told of; `is_in` whether the day is.
    """
    given = {"person": person_id, "metrics": list(metrics), "first": first, "day": day, "share": share}
    return connection.execute(_FIRST_HOURS, given).all()

"""Rollups: the resolved truth of each local day and its hours, always recomputable from the samples."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, text

from appliance.domain.localday import microseconds
from appliance.domain.truth import Day
from appliance.storage import binary
from appliance.storage.among import among
from appliance.storage.database import driver_connection
from appliance.storage.tables import rollup

_FIRST_DAY = date(1970, 1, 1)
_DAYS_FROM_2000 = 10_957  # Postgres counts dates from 2000-01-01
_COLUMNS = (
    "person_id, metric, day, utc_offset, value, min, max, count, "
    "hour_start, hour_value, hour_min, hour_max, hour_count"
)
_HEAD = struct.Struct(">hiqi")
_FOUR = struct.Struct(">ii")
_EIGHT = struct.Struct(">id")
_NULL = struct.pack(">i", -1)


def forget_days(connection: Connection, person_id: int, days: Mapping[str, Iterable[int]]) -> None:
    """Remove the rollups of these days (numbers from 1970-01-01) of each metric, to be written anew."""
    places = [(metric, day) for metric, numbers in days.items() for day in numbers]
    connection.execute(
        text(
            "DELETE FROM rollup USING unnest(CAST(:metrics AS text[]), CAST(:days AS integer[])) AS gone(metric, n)"
            " WHERE rollup.person_id = :person AND rollup.metric = gone.metric"
            " AND rollup.day = date '1970-01-01' + gone.n"
        ),
        {
            "person": person_id,
            "metrics": [metric for metric, _ in places],
            "days": [day for _, day in places],
        },
    )


def told_days(connection: Connection, person_id: int, days: Mapping[str, set[int]]) -> dict[str, set[int]]:
    """Return those of the days (numbers from 1970-01-01) of each metric for which samples are held."""
    rows = connection.execute(
        text(
            "SELECT metric, day - date '1970-01-01' AS n FROM rollup WHERE person_id = :person"
            " AND metric = ANY(CAST(:metrics AS text[])) AND day BETWEEN date '1970-01-01' + CAST(:first AS integer)"
            " AND date '1970-01-01' + CAST(:last AS integer)"
        ),
        {
            "person": person_id,
            "metrics": list(days),
            "first": min((min(wanted) for wanted in days.values()), default=0),
            "last": max((max(wanted) for wanted in days.values()), default=0),
        },
    )
    told: dict[str, set[int]] = {metric: set() for metric in days}
    for row in rows:
        if row.n in days[row.metric]:
            told[row.metric].add(row.n)
    return told


def insert_days(connection: Connection, person_id: int, days: Iterable[tuple[str, Sequence[Day]]]) -> None:
    """Write days that are not held."""
    with (
        driver_connection(connection).cursor() as cursor,
        cursor.copy(f"COPY rollup ({_COLUMNS}) FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(binary.HEADER)
        for metric, told in days:
            name = metric.encode()
            head = _HEAD.pack(13, 8, person_id, len(name)) + name
            copy.write(b"".join([head + _pack(day) for day in told]))
        copy.write(binary.TRAILER)


def of_days(connection: Connection, person_id: int, metric: str, first: date, last: date) -> list[Row[Any]]:
    """Return the rollups of a metric from the first to the last day, both included, ordered by day."""
    return list(
        connection.execute(
            select(rollup)
            .where(
                rollup.c.person_id == person_id, rollup.c.metric == metric, rollup.c.day.between(first, last)
            )
            .order_by(rollup.c.day)
        )
    )


def of_everything(connection: Connection, person_id: int, day: date) -> list[Row[Any]]:
    """Return the rollups of every metric on one day, ordered by metric."""
    return list(
        connection.execute(
            select(rollup)
            .where(rollup.c.person_id == person_id, rollup.c.day == day)
            .order_by(rollup.c.metric)
        )
    )


def of_numbers(connection: Connection, person_id: int, metric: str, days: Iterable[int]) -> list[Row[Any]]:
    """Return the rollups of a metric on these days (numbers from 1970-01-01)."""
    return list(
        connection.execute(
            select(rollup).where(
                rollup.c.person_id == person_id,
                rollup.c.metric == metric,
                among(rollup.c.day, [_FIRST_DAY + timedelta(days=number) for number in days]),
            )
        )
    )


def all_days(connection: Connection, person_id: int, metric: str) -> list[int]:
    """Return every day (number from 1970-01-01) of which a metric is told, in order."""
    query = (
        select(rollup.c.day - _FIRST_DAY)
        .where(rollup.c.person_id == person_id, rollup.c.metric == metric)
        .order_by(rollup.c.day)
    )
    return list(connection.execute(query).scalars())


def days_to_look_at(connection: Connection, person_id: int) -> dict[str, tuple[int, int]]:
    """Return the first and last day (numbers from 1970-01-01) any sample or rollup of each metric may fall into."""
    rows = connection.execute(
        text(
            """
            SELECT metric, min(first) - date '1970-01-01' AS first, max(last) - date '1970-01-01' AS last FROM (
                SELECT metric, min(day) AS first, max(day) AS last FROM rollup WHERE person_id = :person GROUP BY 1
                UNION ALL
                SELECT metric, ((first_at AT TIME ZONE 'UTC') + least_offset * interval '1 second')::date,
                       ((last_at AT TIME ZONE 'UTC') + greatest_offset * interval '1 second')::date
                FROM series WHERE person_id = :person AND first_at IS NOT NULL
            ) AS told
            GROUP BY metric
            """
        ),
        {"person": person_id},
    )
    return {row.metric: (row.first, row.last) for row in rows}


def tells(row: Row[Any] | None, day: Day) -> bool:
    """Whether a stored rollup tells the same as this one, up to the last digits of a sum."""
    if row is None:
        return False
    told = (row.value, row.min, row.max, *row.hour_value, *row.hour_min, *row.hour_max)
    true = (day.value, day.minimum, day.maximum, *day.hours.value, *day.hours.minimum, *day.hours.maximum)
    return (
        row._mapping["count"] == day.count
        and row.utc_offset == day.offset
        and [microseconds(at) for at in row.hour_start] == list(day.hours.start)
        and list(row.hour_count) == list(day.hours.count)
        and all(map(_same, told, true))
    )


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def day_values(
    connection: Connection, person_id: int, metric: str, first: date, last: date
) -> list[Row[Any]]:
    """Return the days of a metric without their hours, from the first to the last, both included, ordered."""
    return list(
        connection.execute(
            select(
                rollup.c.day,
                rollup.c.utc_offset,
                rollup.c.value,
                rollup.c.min,
                rollup.c.max,
                rollup.c.count,
            )
            .where(
                rollup.c.person_id == person_id, rollup.c.metric == metric, rollup.c.day.between(first, last)
            )
            .order_by(rollup.c.day)
        )
    )


def _pack(day: Day) -> bytes:
    hours = day.hours
    return b"".join(
        (
            _FOUR.pack(4, day.day - _DAYS_FROM_2000),
            _FOUR.pack(4, day.offset),
            *(
                _NULL if number is None else _EIGHT.pack(8, number)
                for number in (day.value, day.minimum, day.maximum)
            ),
            _FOUR.pack(4, day.count),
            binary.instants(hours.start),
            binary.doubles(hours.value),
            binary.doubles(hours.minimum),
            binary.doubles(hours.maximum),
            binary.ints(hours.count),
        )
    )

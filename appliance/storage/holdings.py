"""How much is held, and of which days: counted, never a value."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, text

# Days that follow each other have the same difference to their number in the row. Reads nothing but the primary key.
_STRETCHES = text(
    """
    SELECT metric, min(day) AS first, max(day) AS last
    FROM (
        SELECT metric, day, day - CAST(row_number() OVER (PARTITION BY metric ORDER BY day) AS integer) AS island
        FROM rollup
        WHERE person_id = :person AND day BETWEEN :first AND :last
    ) AS placed
    GROUP BY metric, island ORDER BY metric, island
    """
)
_MONTHS = text(
    """
    SELECT CAST(date_trunc('month', received_at AT TIME ZONE :zone) AS date) AS month, count(*) AS uploads,
           sum(size_bytes) AS sent_bytes, coalesce(sum(octet_length(body)), 0) AS kept_bytes
    FROM upload WHERE person_id = :person GROUP BY 1 ORDER BY 1 DESC
    """
)


def told_stretches(connection: Connection, person_id: int, first: date, last: date) -> Sequence[Row[Any]]:
    """Return the stretches of days told of each metric, from the first to the last day, ordered by metric and day."""
    given = {"person": person_id, "first": first, "last": last}
    return connection.execute(_STRETCHES, given).all()


def uploads_by_month(connection: Connection, person_id: int, zone: str) -> Sequence[Row[Any]]:
    """Return how many uploads came in each month and how large they are, as sent and as kept; the newest first."""
    return connection.execute(_MONTHS, {"person": person_id, "zone": zone}).all()

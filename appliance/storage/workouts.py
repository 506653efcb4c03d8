"""Workouts in few numbers, all of them in one query: long texts, curves and what was not understood stay behind."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Double, Row, cast, exists, select

from appliance.domain.record import Kind
from appliance.storage.tables import record, record_track

NUMBERS = (
    "duration_s",
    "distance_km",
    "active_energy_kcal",
    "avg_heart_rate",
    "max_heart_rate",
    "elevation_up_m",
)


def lines(connection: Connection, person_id: int) -> list[Row[Any]]:
    """Return a person's workouts, newest first, with their `NUMBERS` and whether there is a track named “route”."""
    has_route = exists().where(
        record_track.c.person_id == record.c.person_id,
        record_track.c.record_id == record.c.record_id,
        record_track.c.name == "route",
    )
    query = (
        select(
            record.c.record_id,
            record.c.label,
            record.c.content["name"].astext.label("name"),
            record.c.source,
            record.c.start_at,
            record.c.end_at,
            record.c.utc_offset,
            record.c.flags,
            has_route.label("has_route"),
            *(cast(record.c.content[number].astext, Double).label(number) for number in NUMBERS),
        )
        .where(record.c.person_id == person_id, record.c.kind == Kind.WORKOUT)
        .order_by(record.c.start_at.desc(), record.c.record_id.desc())
    )
    return list(connection.execute(query))

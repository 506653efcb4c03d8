"""When the appliance was awake, when each phone's automation brought something new, and who has fallen silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from appliance.domain.rhythm import Span
from appliance.storage.tables import api_key, awake_span, silence


class News(NamedTuple):
    """When an automation of a phone brought something new, in order."""

    person_id: int
    key_id: int
    automation_id: str
    automation_name: str
    at: Sequence[datetime]


class Rhythm(NamedTuple):
    """An automation's rhythm and whether it has fallen silent, as it is kept."""

    person_id: int
    key_id: int
    automation_id: str
    automation_name: str
    last_new_at: datetime
    usual_gap: timedelta
    silent_since: datetime | None


def stay_awake(connection: Connection, instance: str, at: datetime, longest_gap: timedelta) -> bool:
    """Lengthen the instance's span to this instant, or begin another after a gap; True when one began."""
    shared = {"instance": instance, "at": at, "gap": longest_gap}
    lengthened = connection.execute(
        text(
            "UPDATE awake_span SET ended_at = :at WHERE instance = :instance AND started_at ="
            " (SELECT max(started_at) FROM awake_span WHERE instance = :instance)"
            " AND ended_at BETWEEN CAST(:at AS timestamptz) - CAST(:gap AS interval) AND :at"
        ),
        shared,
    )
    if lengthened.rowcount:
        return False
    connection.execute(
        text(
            "INSERT INTO awake_span (instance, started_at, ended_at) VALUES (:instance, :at, :at)"
            " ON CONFLICT DO NOTHING"
        ),
        shared,
    )
    return True


def awake_since(connection: Connection, since: datetime) -> list[Span]:
    """Return the spans of all instances that reach beyond this instant."""
    rows = connection.execute(
        select(awake_span.c.started_at, awake_span.c.ended_at).where(awake_span.c.ended_at >= since)
    )
    return [Span(*row) for row in rows]


def news_since(connection: Connection, since: datetime, now: datetime) -> list[News]:
    """Return what every automation of an open key brought since; only uploads that told something new count."""
    rows = connection.execute(
        text(
            """
            SELECT u.person_id, u.key_id, u.automation_id,
                   (array_agg(u.automation_name ORDER BY u.upload_id DESC))[1] AS name,
                   array_agg(u.received_at ORDER BY u.received_at) AS at
            FROM upload AS u JOIN api_key AS k USING (key_id)
            WHERE u.received_at >= :since AND u.stored + u.revised > 0 AND k.revoked_at IS NULL
              AND k.disabled_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :now)
            GROUP BY 1, 2, 3
            """
        ),
        {"since": since, "now": now},
    )
    return [News(row.person_id, row.key_id, row.automation_id, row.name, row.at) for row in rows]


def rhythms(connection: Connection) -> dict[tuple[int, int, str], Rhythm]:
    """Return every rhythm kept, by person, key and automation."""
    rows = connection.execute(select(silence))
    return {
        (row.person_id, row.key_id, row.automation_id): Rhythm(
            row.person_id,
            row.key_id,
            row.automation_id,
            row.automation_name,
            row.last_new_at,
            timedelta(seconds=row.usual_gap_s),
            row.silent_since,
        )
        for row in rows
    }


def replace(connection: Connection, found: Sequence[Rhythm], at: datetime) -> None:
    """Keep these rhythms and no others."""
    connection.execute(delete(silence).where(silence.c.checked_at != at))
    if found:
        statement = upsert(silence)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["person_id", "key_id", "automation_id"],
                set_={
                    name: statement.excluded[name]
                    for name in (
                        "automation_name",
                        "last_new_at",
                        "usual_gap_s",
                        "silent_since",
                        "checked_at",
                    )
                },
            ),
            [
                {
                    "person_id": one.person_id,
                    "key_id": one.key_id,
                    "automation_id": one.automation_id,
                    "automation_name": one.automation_name,
                    "last_new_at": one.last_new_at,
                    "usual_gap_s": round(one.usual_gap.total_seconds()),
                    "silent_since": one.silent_since,
                    "checked_at": at,
                }
                for one in found
            ],
        )


def of_person(connection: Connection, person_id: int) -> list[Row[Any]]:
    """Return the rhythms of a person's automations with the names of their keys, the silent ones first."""
    return list(
        connection.execute(
            select(silence, api_key.c.name.label("key_name"))
            .join_from(silence, api_key, silence.c.key_id == api_key.c.key_id)
            .where(silence.c.person_id == person_id)
            .order_by(silence.c.silent_since.asc().nulls_last(), silence.c.key_id, silence.c.automation_id)
        )
    )


def silent_keys(connection: Connection) -> list[tuple[str, datetime]]:
    """Return the name of every key with a silent automation, and since when; the longest silent first."""
    since = func.min(silence.c.silent_since)
    rows = connection.execute(
        select(api_key.c.name, since)
        .join_from(silence, api_key, silence.c.key_id == api_key.c.key_id)
        .where(silence.c.silent_since.is_not(None))
        .group_by(api_key.c.key_id, api_key.c.name)
        .order_by(since)
    )
    return [(row[0], row[1]) for row in rows]

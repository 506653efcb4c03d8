"""What came with each key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from appliance.storage.tables import upload


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one automation sent with a key: uploads, the items in them, and those that were new or better."""

    automation_name: str
    uploads: int
    received: int
    stored: int
    last_at: datetime


def counted(connection: Connection) -> dict[int, int]:
    """Return how many uploads came with each key, by its id."""
    rows = connection.execute(
        select(upload.c.key_id, func.count()).where(upload.c.key_id.is_not(None)).group_by(upload.c.key_id)
    )
    return {row.key_id: row[1] for row in rows}


def of_key(connection: Connection, key_id: int, since: datetime) -> list[Arrival]:
    """Return what came with a key from an instant on, by automation, the one heard last first."""
    last = func.max(upload.c.received_at)
    rows = connection.execute(
        select(
            upload.c.automation_name,
            func.count(),
            func.sum(upload.c.received),
            func.sum(upload.c.stored + upload.c.revised),
            last,
        )
        .where(upload.c.key_id == key_id, upload.c.received_at >= since)
        .group_by(upload.c.automation_name)
        .order_by(last.desc())
    )
    return [Arrival(name, uploads, int(items), int(new), at) for name, uploads, items, new, at in rows]

"""Requests that were not let in, added up by where they came from and what was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from appliance.domain.presented import NearMiss, Refusal
from appliance.storage.tables import api_key, near_miss

KEPT = 5_000
KEPT_OF_AN_ADDRESS = 100


@dataclass(frozen=True, slots=True, order=True)
class Attempts:
    """Refused requests of one kind, to be added to what is kept. `key_id` is 0 when none is known."""

    address: str
    reason: Refusal
    header: str
    key_id: int
    automation_name: str
    first_at: datetime
    last_at: datetime
    count: int


def add(connection: Connection, attempts: Sequence[Attempts]) -> None:
    """Add these up with what is kept, and let go of the oldest beyond 100 kinds an address and 5,000 in all."""
    statement = upsert(near_miss)
    connection.execute(
        statement.on_conflict_do_update(
            constraint="near_miss_what_and_where_key",
            set_={
                "first_at": func.least(near_miss.c.first_at, statement.excluded.first_at),
                "last_at": func.greatest(near_miss.c.last_at, statement.excluded.last_at),
                "count": near_miss.c.count + statement.excluded.count,
            },
        ),
        # In one order, so that two instances never wait for each other.
        [asdict(each) for each in sorted(attempts)],
    )
    for kept, partition in ((KEPT_OF_AN_ADDRESS, "PARTITION BY address "), (KEPT, "")):
        connection.execute(
            text(
                "DELETE FROM near_miss WHERE near_miss_id IN (SELECT near_miss_id FROM (SELECT near_miss_id,"  # noqa: S608  fixed text only
                f" row_number() OVER ({partition}ORDER BY last_at DESC, near_miss_id DESC) AS place FROM near_miss)"
                " AS ranked WHERE place > :kept)"
            ),
            {"kept": kept},
        )


def page(
    connection: Connection, person_id: int | None, *, before: tuple[datetime, int] | None, limit: int
) -> list[NearMiss]:
    """Return near misses, newest first, those before an instant and id; only with a key of this person if given."""
    query = (
        select(near_miss, api_key.c.name.label("key_name"), api_key.c.replaced_by)
        .join_from(near_miss, api_key, near_miss.c.key_id == api_key.c.key_id, isouter=True)
        .order_by(near_miss.c.last_at.desc(), near_miss.c.near_miss_id.desc())
        .limit(limit)
    )
    if person_id is not None:
        query = query.where(api_key.c.person_id == person_id)
    if before is not None:
        at, near_miss_id = before
        query = query.where(
            (near_miss.c.last_at < at)
            | ((near_miss.c.last_at == at) & (near_miss.c.near_miss_id < near_miss_id))
        )
    return [_near_miss(row) for row in connection.execute(query)]


def _near_miss(row: Any) -> NearMiss:
    return NearMiss(
        near_miss_id=row.near_miss_id,
        address=row.address,
        reason=Refusal(row.reason),
        header=row.header,
        key_id=row.key_id or None,
        key_name=row.key_name,
        replaced_by=row.replaced_by,
        automation_name=row.automation_name,
        first_at=row.first_at,
        last_at=row.last_at,
        count=row.count,
    )

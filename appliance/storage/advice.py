"""Advice that holds for a person until a corrected upload comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from appliance.domain.upload import Advice
from appliance.storage.tables import advice


def renew(
    connection: Connection,
    person_id: int,
    upload_id: int,
    at: datetime,
    raised: Sequence[Advice],
    judged: Iterable[str],
) -> None:
    """Keep what an upload raised, and drop what it could have raised and did not."""
    cleared = set(judged) - {each.code for each in raised}
    connection.execute(delete(advice).where(advice.c.person_id == person_id, advice.c.code.in_(cleared)))
    for each in raised:
        statement = upsert(advice).values(
            person_id=person_id,
            code=each.code,
            message=each.message,
            fix=each.fix,
            automation=each.automation,
            first_seen_at=at,
            last_seen_at=at,
            upload_id=upload_id,
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["person_id", "code"],
                set_={
                    name: statement.excluded[name]
                    for name in ("message", "fix", "automation", "last_seen_at", "upload_id")
                },
            )
        )


def of_person(connection: Connection, person_id: int) -> list[Row[Any]]:
    """Return what holds now, the newest first."""
    return list(
        connection.execute(
            select(advice)
            .where(advice.c.person_id == person_id)
            .order_by(advice.c.last_seen_at.desc(), advice.c.code)
        )
    )

"""Quarantine: what was set aside, once per item however often it is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Row, delete, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from appliance.domain.quarantine import Quarantined, Reason
from appliance.domain.text import storable, storable_text
from appliance.storage.tables import quarantine

_AT_ONCE = 2_000  # rows a statement, well below the protocol's 65,535 parameters


def keep(
    connection: Connection, person_id: int, upload_id: int, items: Sequence[Quarantined], at: datetime
) -> int:
    """Keep the items and return how many of them are new here; the others have only been seen again."""
    rows = {}
    for item in items:
        fingerprint = _fingerprint(item)
        rows[fingerprint] = {
            "person_id": person_id,
            "fingerprint": fingerprint,
            "upload_id": upload_id,
            "last_upload_id": upload_id,
            "kind": item.kind,
            "name": storable_text(item.name),
            "path": item.path,
            "reason": item.reason,
            "detail": storable_text(item.detail),
            "first_seen_at": at,
            "last_seen_at": at,
        }
    values = list(rows.values())
    new = 0
    for begin in range(0, len(values), _AT_ONCE):
        statement = upsert(quarantine).values(values[begin : begin + _AT_ONCE])
        statement = statement.on_conflict_do_update(
            index_elements=["person_id", "fingerprint"],
            set_={
                name: statement.excluded[name]
                for name in ("last_upload_id", "last_seen_at", "reason", "detail")
            },
        )
        # xmax is 0 for a row that this statement inserted.
        told = connection.execute(statement.returning(literal_column("xmax = 0", Boolean)))
        new += sum(is_new for (is_new,) in told)
    return new


def count(connection: Connection, person_id: int) -> int:
    """Return how many items of this person are in quarantine."""
    return connection.execute(
        select(func.count()).select_from(quarantine).where(quarantine.c.person_id == person_id)
    ).scalar_one()


def _fingerprint(item: Quarantined) -> bytes:
    text = json.dumps(
        [item.kind, item.name, storable(item.item)], sort_keys=True, ensure_ascii=True, default=str
    )
    return hashlib.sha256(text.encode()).digest()


def release(
    connection: Connection, person_id: int, upload_id: int, still_set_aside: Sequence[Quarantined]
) -> int:
    """Let go of what this upload brought into quarantine and can be read now; return how many items."""
    kept = [_fingerprint(item) for item in still_set_aside]
    query = delete(quarantine).where(
        quarantine.c.person_id == person_id,
        or_(quarantine.c.upload_id == upload_id, quarantine.c.last_upload_id == upload_id),
    )
    if kept:
        query = query.where(quarantine.c.fingerprint.not_in(kept))
    return connection.execute(query).rowcount


def uploads_with_items(connection: Connection, person_id: int) -> list[int]:
    """Return the uploads that brought what is in quarantine, oldest first."""
    query = (
        select(quarantine.c.upload_id)
        .distinct()
        .where(quarantine.c.person_id == person_id)
        .order_by(quarantine.c.upload_id)
    )
    return list(connection.execute(query).scalars())


def page(
    connection: Connection,
    person_id: int,
    *,
    kind: str | None = None,
    reason: Reason | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Row[Any]]:
    """Return items in quarantine, those kept last first, those with an id below `before`."""
    query = select(quarantine).where(*_chosen(person_id, kind, reason))
    if before is not None:
        query = query.where(quarantine.c.quarantine_id < before)
    return list(connection.execute(query.order_by(quarantine.c.quarantine_id.desc()).limit(limit)))


def find(connection: Connection, person_id: int, quarantine_id: int) -> Row[Any] | None:
    """Return one item of this person."""
    return connection.execute(
        select(quarantine).where(
            quarantine.c.person_id == person_id, quarantine.c.quarantine_id == quarantine_id
        )
    ).one_or_none()


def grouped(
    connection: Connection, person_id: int, *, kind: str | None = None, reason: Reason | None = None
) -> list[Row[Any]]:
    """Return how many items there are of each kind and reason (`items`, `first`, `last`), most first."""
    query = (
        select(
            quarantine.c.kind,
            quarantine.c.reason,
            func.count().label("items"),
            func.min(quarantine.c.first_seen_at).label("first"),
            func.max(quarantine.c.last_seen_at).label("last"),
        )
        .where(*_chosen(person_id, kind, reason))
        .group_by(quarantine.c.kind, quarantine.c.reason)
        .order_by(func.count().desc(), quarantine.c.kind, quarantine.c.reason)
    )
    return list(connection.execute(query))


def _chosen(person_id: int, kind: str | None, reason: Reason | None) -> list[ColumnElement[bool]]:
    chosen = [quarantine.c.person_id == person_id]
    if kind is not None:
        chosen.append(quarantine.c.kind == kind)
    if reason is not None:
        chosen.append(quarantine.c.reason == reason)
    return chosen

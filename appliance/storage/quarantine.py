"""Quarantine: what was set aside, once per item however often it is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, or_, select, text, update

from appliance.domain.quarantine import Quarantined, Reason
from appliance.domain.text import storable, storable_text
from appliance.domain.upload import ItemError
from appliance.storage.among import among
from appliance.storage.tables import quarantine

_AT_ONCE = 20_000  # rows a statement


def keep(
    connection: Connection, person_id: int, upload_id: int, items: Sequence[Quarantined], at: datetime
) -> int:
    """Keep the items and return how many of them are new here; the others have only been seen again."""
    rows = {_fingerprint(item): item for item in items}
    fingerprints = list(rows)
    new = 0
    for begin in range(0, len(fingerprints), _AT_ONCE):
        part = fingerprints[begin : begin + _AT_ONCE]
        told = [rows[fingerprint] for fingerprint in part]
        is_new = connection.execute(
            _KEEP,
            {
                "person": person_id,
                "upload": upload_id,
                "at": at,
                "fingerprints": part,
                "kinds": [item.kind for item in told],
                "names": [storable_text(item.name) for item in told],
                "paths": [item.path for item in told],
                "reasons": [item.reason.value for item in told],
                "details": [storable_text(item.detail) for item in told],
            },
        )
        new += sum(is_new.scalars())
    return new


# Columns as arrays: a thousand times as many parameters would cost a thousand times the driver's time. xmax is 0 for a
# row that this statement inserted.
_KEEP = text(
    """
    INSERT INTO quarantine (person_id, fingerprint, upload_id, last_upload_id, kind, name, path, reason, detail,
                            first_seen_at, last_seen_at)
    SELECT :person, new.fingerprint, :upload, :upload, new.kind, new.name, new.path, new.reason, new.detail, :at, :at
    FROM unnest(CAST(:fingerprints AS bytea[]), CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:paths AS text[]),
                CAST(:reasons AS text[]), CAST(:details AS text[]))
        WITH ORDINALITY AS new(fingerprint, kind, name, path, reason, detail, place)
    ORDER BY new.place
    ON CONFLICT (person_id, fingerprint) DO UPDATE SET last_upload_id = excluded.last_upload_id,
        last_seen_at = excluded.last_seen_at, reason = excluded.reason, detail = excluded.detail
    RETURNING xmax = 0
    """
)


def count(connection: Connection, person_id: int) -> int:
    """Return how many items of this person are in quarantine."""
    return connection.execute(
        select(func.count()).select_from(quarantine).where(quarantine.c.person_id == person_id)
    ).scalar_one()


def _fingerprint(item: Quarantined) -> bytes:
    told = json.dumps(
        [item.kind, item.name, storable(item.item)], sort_keys=True, ensure_ascii=True, default=str
    )
    return hashlib.sha256(told.encode()).digest()


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
        query = query.where(~among(quarantine.c.fingerprint, kept))
    return connection.execute(query).rowcount


def take_back(connection: Connection, person_id: int, upload_id: int) -> bool:
    """Let go of what only this upload brought into quarantine; return whether others need its bytes for what is left."""
    mine = quarantine.c.upload_id == upload_id
    last = quarantine.c.last_upload_id == upload_id
    of_person = quarantine.c.person_id == person_id
    connection.execute(delete(quarantine).where(of_person, mine, last))
    connection.execute(
        update(quarantine).where(of_person, last).values(last_upload_id=quarantine.c.upload_id)
    )
    left = select(func.count()).select_from(quarantine).where(of_person, mine)
    return connection.execute(left).scalar_one() > 0


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
    upload_id: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Row[Any]]:
    """Return items in quarantine, those kept last first, those with an id below `before`; of an upload if named."""
    query = select(quarantine).where(*_chosen(person_id, kind, reason))
    if upload_id is not None:
        query = query.where(
            or_(quarantine.c.upload_id == upload_id, quarantine.c.last_upload_id == upload_id)
        )
    if before is not None:
        query = query.where(quarantine.c.quarantine_id < before)
    return list(connection.execute(query.order_by(quarantine.c.quarantine_id.desc()).limit(limit)))


def first_of(connection: Connection, person_id: int, upload_id: int, limit: int) -> list[ItemError]:
    """Return the first items that an upload brought, as its receipt tells them."""
    query = (
        select(quarantine.c.path, quarantine.c.reason, quarantine.c.detail)
        .where(quarantine.c.person_id == person_id, quarantine.c.upload_id == upload_id)
        .order_by(quarantine.c.quarantine_id)
        .limit(limit)
    )
    return [ItemError(row.path, row.reason, row.detail) for row in connection.execute(query)]


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


def named(connection: Connection, person_id: int, limit: int) -> list[Row[Any]]:
    """Return how many items there are of each kind, name and reason, most first, with a `path` one was found at."""
    query = (
        select(
            quarantine.c.kind,
            quarantine.c.name,
            quarantine.c.reason,
            func.count().label("items"),
            func.max(quarantine.c.last_seen_at).label("last"),
            func.min(quarantine.c.path).label("path"),
        )
        .where(quarantine.c.person_id == person_id)
        .group_by(quarantine.c.kind, quarantine.c.name, quarantine.c.reason)
        .order_by(func.count().desc(), quarantine.c.kind, quarantine.c.name, quarantine.c.reason)
        .limit(limit)
    )
    return list(connection.execute(query))


def _chosen(person_id: int, kind: str | None, reason: Reason | None) -> list[ColumnElement[bool]]:
    chosen = [quarantine.c.person_id == person_id]
    if kind is not None:
        chosen.append(quarantine.c.kind == kind)
    if reason is not None:
        chosen.append(quarantine.c.reason == reason)
    return chosen

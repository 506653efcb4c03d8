"""API keys and the audit of what happened to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from appliance.domain.key import ApiKey, KeyChange, KeyEvent, Scope, StoredKey
from appliance.storage.tables import api_key, appliance, key_event, person

_COLUMNS = (
    api_key.c.key_id,
    api_key.c.public_id,
    api_key.c.person_id,
    api_key.c.name,
    api_key.c.scopes,
    api_key.c.created_at,
    api_key.c.expires_at,
    api_key.c.revoked_at,
    api_key.c.last_used_at,
    api_key.c.disabled_at,
    api_key.c.replaced_by,
)


def shared_secret(connection: Connection, name: str, fresh: bytes) -> bytes:
    """Return a secret every instance on this database shares, storing `fresh` if there is none yet."""
    connection.execute(upsert(appliance).values(name=name, value=fresh).on_conflict_do_nothing())
    return bytes(connection.execute(select(appliance.c.value).where(appliance.c.name == name)).scalar_one())


def find_by_public_id(connection: Connection, public_id: str) -> StoredKey | None:
    """Return the key with this public id, open or not."""
    row = connection.execute(
        select(*_COLUMNS, api_key.c.secret_hash).where(api_key.c.public_id == public_id)
    ).one_or_none()
    return StoredKey(_key(row), bytes(row.secret_hash)) if row else None


def find(
    connection: Connection, key_id: int, person_id: int | None = None, *, for_change: bool = False
) -> ApiKey | None:
    """Return one key by id; with a person, only if it is theirs. For a change nobody else changes it meanwhile."""
    query = select(*_COLUMNS).where(api_key.c.key_id == key_id)
    if person_id is not None:
        query = query.where(api_key.c.person_id == person_id)
    row = connection.execute(query.with_for_update() if for_change else query).one_or_none()
    return _key(row) if row else None


def listed(connection: Connection, person_id: int | None = None) -> list[tuple[ApiKey, str]]:
    """Return keys with their person's name, newest last; all people's without a person."""
    query = select(*_COLUMNS, person.c.name.label("person")).join(person).order_by(api_key.c.key_id)
    if person_id is not None:
        query = query.where(api_key.c.person_id == person_id)
    return [(_key(row), row.person) for row in connection.execute(query)]


def add(
    connection: Connection,
    *,
    public_id: str,
    secret_hash: bytes,
    person_id: int,
    name: str,
    scopes: Iterable[Scope],
    created_at: datetime,
    expires_at: datetime | None,
) -> ApiKey:
    """Add a key; `secret_hash` is the keyed hash of its secret."""
    row = connection.execute(
        insert(api_key)
        .values(
            public_id=public_id,
            secret_hash=secret_hash,
            person_id=person_id,
            name=name,
            scopes=sorted(scopes),
            created_at=created_at,
            expires_at=expires_at,
        )
        .returning(*_COLUMNS)
    ).one()
    return _key(row)


def change(connection: Connection, key_id: int, **values: datetime | int | None) -> ApiKey:
    """Set `expires_at`, `revoked_at`, `disabled_at` or `replaced_by` of one key, and return it as it is then."""
    row = connection.execute(
        update(api_key).where(api_key.c.key_id == key_id).values(**values).returning(*_COLUMNS)
    ).one()
    return _key(row)


def disable_all(connection: Connection, person_id: int, disabled_at: datetime) -> list[ApiKey]:
    """Disable every key of a person that is neither disabled nor revoked, and return them."""
    rows = connection.execute(
        update(api_key)
        .where(
            api_key.c.person_id == person_id, api_key.c.disabled_at.is_(None), api_key.c.revoked_at.is_(None)
        )
        .values(disabled_at=disabled_at)
        .returning(*_COLUMNS)
    )
    return [_key(row) for row in rows]


def enable_again(connection: Connection, key_ids: Iterable[int]) -> list[int]:
    """Enable these keys and return those that are still there."""
    rows = connection.execute(
        update(api_key)
        .where(api_key.c.key_id.in_(list(key_ids)))
        .values(disabled_at=None)
        .returning(api_key.c.key_id)
    )
    return list(rows.scalars())


def close_expired(connection: Connection, now: datetime) -> list[ApiKey]:
    """Close the keys whose time is over and that are not closed yet, as of their expiry, and return them."""
    rows = connection.execute(
        update(api_key)
        .where(api_key.c.expires_at <= now, api_key.c.revoked_at.is_(None))
        .values(revoked_at=api_key.c.expires_at)
        .returning(*_COLUMNS)
    )
    return [_key(row) for row in rows]


def note_uses(connection: Connection, uses: Mapping[int, datetime], now: datetime) -> list[str]:
    """Write down when keys were last used; return the public ids of those that are closed by now.

    An earlier use never replaces a later one.
    """
    used = connection.execute(
        text(
            "UPDATE api_key SET last_used_at = greatest(api_key.last_used_at, used.at)"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:instants AS timestamptz[])) AS used(key_id, at)"
            " WHERE api_key.key_id = used.key_id"
            " RETURNING public_id, revoked_at IS NOT NULL OR disabled_at IS NOT NULL"
            " OR coalesce(expires_at <= :now, false) AS is_closed"
        ),
        {"ids": list(uses), "instants": list(uses.values()), "now": now},
    )
    return [row.public_id for row in used if row.is_closed]


def note(connection: Connection, key_id: int, change: KeyChange, at: datetime, detail: str = "") -> None:
    """Write down what happened to a key, and when by the house's own clock."""
    connection.execute(insert(key_event).values(key_id=key_id, event=change, at=at, detail=detail))


def events(connection: Connection, person_id: int | None, key_id: int | None, limit: int) -> list[KeyEvent]:
    """Return what happened to one key or to all, of one person or of all, newest first."""
    query = select(key_event).join(api_key).order_by(key_event.c.key_event_id.desc()).limit(limit)
    if person_id is not None:
        query = query.where(api_key.c.person_id == person_id)
    if key_id is not None:
        query = query.where(api_key.c.key_id == key_id)
    return [
        KeyEvent(row.key_id, row.at, KeyChange(row.event), row.detail) for row in connection.execute(query)
    ]


def _key(row: Any) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        public_id=row.public_id,
        person_id=row.person_id,
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        disabled_at=row.disabled_at,
        replaced_by=row.replaced_by,
    )

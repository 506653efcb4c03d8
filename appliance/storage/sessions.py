"""Browsers that are logged in, links that log in once, and the passwords of people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from appliance.domain.preferences import Preferences
from appliance.domain.session import Face, LinkPurpose, Session, Visitor
from appliance.storage.people import preferring
from appliance.storage.tables import login_link, person, session


def faces(connection: Connection) -> list[Face]:
    """Return everybody, the first one first."""
    rows = connection.execute(
        select(
            person.c.person_id, person.c.name, person.c.password_hash.is_not(None), person.c.is_owner
        ).order_by(person.c.person_id)
    )
    return [Face(*row) for row in rows]


def password_of(connection: Connection, person_id: int) -> str | None:
    """Return the argon2id hash of a person's password, or None."""
    return connection.execute(
        select(person.c.password_hash).where(person.c.person_id == person_id)
    ).scalar_one_or_none()


def set_up_person(
    connection: Connection, person_id: int, *, password_hash: str | None = None, **values: Any
) -> None:
    """Set `name`, `time_zone`, `is_owner`, some `preferences` (a dict) or the password's hash of a person."""
    if password_hash is not None:
        values["password_hash"] = password_hash
    if "preferences" in values:
        values["preferences"] = preferring(values["preferences"])
    connection.execute(update(person).where(person.c.person_id == person_id).values(**values))


def preferences_of(connection: Connection, person_id: int) -> Preferences:
    """Return what a person prefers."""
    return Preferences.of(
        connection.execute(select(person.c.preferences).where(person.c.person_id == person_id)).scalar_one()
    )


def add(
    connection: Connection,
    *,
    token_hash: bytes,
    person_id: int,
    at: datetime,
    expires_at: datetime,
    address: str,
    browser: str,
) -> int:
    """Add a session that shows the person's own data, and return its id."""
    session_id: int = connection.execute(
        insert(session)
        .values(
            token_hash=token_hash,
            person_id=person_id,
            viewing_id=person_id,
            created_at=at,
            expires_at=expires_at,
            last_seen_at=at,
            address=address,
            browser=browser,
        )
        .returning(session.c.session_id)
    ).scalar_one()
    return session_id


def visitor(connection: Connection, token_hash: bytes, at: datetime) -> tuple[Visitor, datetime] | None:
    """Return who is logged in under this token and when they were last seen; None when nobody is (any more).

    Somebody else's data are shown only as long as that person has no password and the visitor owns the appliance.
    """
    seen = person.alias("seen")
    row = connection.execute(
        select(
            session.c.session_id,
            session.c.person_id,
            session.c.viewing_id,
            session.c.last_seen_at,
            person.c.is_owner,
            seen.c.password_hash.is_(None).label("is_cared_for"),
        )
        .join(person, person.c.person_id == session.c.person_id)
        .join(seen, seen.c.person_id == session.c.viewing_id)
        .where(session.c.token_hash == token_hash, session.c.expires_at > at)
    ).one_or_none()
    if row is None:
        return None
    may = row.viewing_id == row.person_id or (row.is_owner and row.is_cared_for)
    viewing_id = row.viewing_id if may else row.person_id
    return Visitor(row.session_id, row.person_id, viewing_id, row.is_owner), row.last_seen_at


def touch(connection: Connection, session_id: int, **values: Any) -> None:
    """Set `last_seen_at`, `expires_at` or `viewing_id` of a session."""
    connection.execute(update(session).where(session.c.session_id == session_id).values(**values))


def listed(connection: Connection, person_id: int, at: datetime) -> list[Session]:
    """Return a person's open sessions, the last seen first."""
    rows = connection.execute(
        select(
            session.c.session_id,
            session.c.created_at,
            session.c.expires_at,
            session.c.last_seen_at,
            session.c.address,
            session.c.browser,
        )
        .where(session.c.person_id == person_id, session.c.expires_at > at)
        .order_by(session.c.last_seen_at.desc())
    )
    return [Session(*row) for row in rows]


def end(
    connection: Connection, person_id: int, *, session_id: int | None = None, but: int | None = None
) -> int:
    """End one session of a person, or all of them `but` one; return how many."""
    query = delete(session).where(session.c.person_id == person_id)
    if session_id is not None:
        query = query.where(session.c.session_id == session_id)
    if but is not None:
        query = query.where(session.c.session_id != but)
    return connection.execute(query).rowcount


def trim(connection: Connection, at: datetime) -> int:
    """Remove sessions and links that no longer open anything; return how many."""
    ended = connection.execute(delete(session).where(session.c.expires_at <= at)).rowcount
    spent = or_(login_link.c.expires_at <= at, login_link.c.used_at.is_not(None))
    return ended + connection.execute(delete(login_link).where(spent)).rowcount


def add_link(
    connection: Connection,
    *,
    token_hash: bytes,
    purpose: LinkPurpose,
    person_id: int | None,
    at: datetime,
    expires_at: datetime,
) -> None:
    """Keep a one-time link; an earlier set-up link stops working."""
    if purpose is LinkPurpose.SETUP:
        connection.execute(delete(login_link).where(login_link.c.purpose == purpose))
    connection.execute(
        insert(login_link).values(
            token_hash=token_hash, purpose=purpose, person_id=person_id, created_at=at, expires_at=expires_at
        )
    )


def forget_links(connection: Connection, person_id: int) -> None:
    """Remove every link that would log in this person."""
    connection.execute(delete(login_link).where(login_link.c.person_id == person_id))


def find_link(connection: Connection, token_hash: bytes, purpose: LinkPurpose, at: datetime) -> int | None:
    """Return whose link this is (0 for nobody's), or None when it does not open anything (any more)."""
    row = connection.execute(
        select(login_link.c.person_id).where(*_open_link(token_hash, purpose, at))
    ).one_or_none()
    return None if row is None else row.person_id or 0


def use_link(connection: Connection, token_hash: bytes, purpose: LinkPurpose, at: datetime) -> bool:
    """Spend a link; return whether it was open. Of two who come at once one gets in."""
    return (
        connection.execute(
            update(login_link).where(*_open_link(token_hash, purpose, at)).values(used_at=at)
        ).rowcount
        == 1
    )


def _open_link(token_hash: bytes, purpose: LinkPurpose, at: datetime) -> tuple[Any, ...]:
    return (
        login_link.c.token_hash == token_hash,
        login_link.c.purpose == purpose,
        login_link.c.expires_at > at,
        login_link.c.used_at.is_(None),
    )

"""People."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, cast, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from appliance.domain.person import Person, folded_name
from appliance.domain.whereabouts import DaysAway
from appliance.storage.tables import person

_COLUMNS = (person.c.person_id, person.c.name, person.c.time_zone, person.c.is_owner)


def lock(connection: Connection) -> None:
    """Wait until nobody else adds, names or removes people; the lock ends with the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:space, 0)"), {"space": 0x48C})


def find(connection: Connection, person_id: int) -> Person:
    """Return one person by id."""
    return Person(*connection.execute(select(*_COLUMNS).where(person.c.person_id == person_id)).one())


def find_if_there(connection: Connection, person_id: int) -> Person | None:
    """Return one person by id, or None."""
    row = connection.execute(select(*_COLUMNS).where(person.c.person_id == person_id)).one_or_none()
    return Person(*row) if row else None


def find_by_name(connection: Connection, name: str) -> Person | None:
    """Return the person whose name people would take for this one (see `folded_name`)."""
    wanted = folded_name(name)
    return next((each for each in everyone(connection) if folded_name(each.name) == wanted), None)


def everyone(connection: Connection) -> list[Person]:
    """Return all people, the first one first."""
    return [Person(*row) for row in connection.execute(select(*_COLUMNS).order_by(person.c.person_id))]


def add(connection: Connection, name: str, time_zone: str) -> Person:
    """Add a person, the first one as owner; the name must be free, and the caller holds the lock."""
    is_first = not everyone(connection)
    row = connection.execute(
        insert(person).values(name=name, time_zone=time_zone, is_owner=is_first).returning(*_COLUMNS)
    ).one()
    return Person(*row)


def change(connection: Connection, person_id: int, **values: str | bool) -> Person:
    """Set `name`, `time_zone` or `is_owner` of one person, and return them as they are then."""
    row = connection.execute(
        update(person).where(person.c.person_id == person_id).values(**values).returning(*_COLUMNS)
    ).one()
    return Person(*row)


def days_away(connection: Connection, person_id: int) -> list[DaysAway]:
    """Return the times a person spent elsewhere, in the order they were told."""
    kept = connection.execute(
        select(person.c.preferences["days_away"]).where(person.c.person_id == person_id)
    ).scalar_one()
    return [
        DaysAway(date.fromisoformat(first), date.fromisoformat(last), zone)
        for first, last, zone in kept or ()
    ]


def keep_days_away(connection: Connection, person_id: int, away: Sequence[DaysAway]) -> None:
    """Keep these times as all that a person spent elsewhere; the caller holds the lock."""
    told = [[each.first.isoformat(), each.last.isoformat(), each.zone] for each in away]
    values = {"preferences": preferring({"days_away": told})}
    connection.execute(update(person).where(person.c.person_id == person_id).values(values))


def preferring(values: dict[str, Any]) -> ColumnElement[Any]:
    """Return what a person prefers with some of it set, whoever sets the rest at the same time."""
    return person.c.preferences.op("||")(cast(values, JSONB))

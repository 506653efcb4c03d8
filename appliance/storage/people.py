"""People."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, text, update

from appliance.domain.person import Person, folded_name
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

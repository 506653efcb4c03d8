"""People."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from appliance.domain.person import Person
from appliance.storage.tables import person

_COLUMNS = (person.c.person_id, person.c.name, person.c.time_zone)


def find(connection: Connection, person_id: int) -> Person:
    """Return one person by id."""
    return Person(*connection.execute(select(*_COLUMNS).where(person.c.person_id == person_id)).one())


def find_by_name(connection: Connection, name: str) -> Person | None:
    """Return one person by name."""
    row = connection.execute(select(*_COLUMNS).where(person.c.name == name)).one_or_none()
    return Person(*row) if row else None


def everyone(connection: Connection) -> list[Person]:
    """Return all people, the first one first."""
    return [Person(*row) for row in connection.execute(select(*_COLUMNS).order_by(person.c.person_id))]


def add(connection: Connection, name: str, time_zone: str) -> Person:
    """Add a person; the name must be free."""
    row = connection.execute(insert(person).values(name=name, time_zone=time_zone).returning(*_COLUMNS)).one()
    return Person(*row)

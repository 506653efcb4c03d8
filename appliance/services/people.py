"""People: whose data is kept here."""

from __future__ import annotations

from appliance.domain.person import Person
from appliance.storage import people
from appliance.storage.database import Database


class People:
    """Looks people up and adds them."""

    def __init__(self, database: Database, time_zone: str) -> None:
        self._database = database
        self._time_zone = time_zone

    def find(self, person_id: int) -> Person:
        """Return one person."""
        with self._database.transaction() as connection:
            return people.find(connection, person_id)

    def everyone(self) -> list[Person]:
        """Return all people, the first one first."""
        with self._database.transaction() as connection:
            return people.everyone(connection)

    def ensure(self, name: str, time_zone: str | None = None) -> Person:
        """Return the person of this name, adding them when new."""
        with self._database.transaction() as connection:
            found = people.find_by_name(connection, name)
            return found or people.add(connection, name, time_zone or self._time_zone)

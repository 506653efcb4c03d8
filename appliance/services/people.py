"""People: whose data is kept here, and who looks after the appliance.

Who may what, with a key of the scope `admin`:

* the key of an *owner* manages people and everybody's keys: it lists, disables and revokes all, and makes keys for
  others that may only ingest. It never reads another person's health data and makes no key that does;
* the key of anybody else manages that person's own keys and name, and knows of nobody else.

The first person is an owner, and there always is one. Who sits at the computer itself may everything: the database
lies in front of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection

from appliance.cache.answers import AnswerCache
from appliance.cache.keys import KeyCache
from appliance.domain.key import KeyChange
from appliance.domain.person import NAME_LENGTH, Person, is_name, tidy_name
from appliance.domain.whereabouts import DaysAway
from appliance.foundation.clock import Clock
from appliance.foundation.errors import (
    Conflict,
    DatabaseUnavailable,
    DependencyError,
    NotFound,
    OwnerNeeded,
    RequestError,
)
from appliance.services.archiving import write_archive
from appliance.storage import archive, keys, people
from appliance.storage.database import Database

# How often and how long to wait for uploads of a person that are just being worked on.
_HOLD_ATTEMPTS = 40
_HOLD_PAUSE_S = 0.5
# More than anybody travels, and few enough to look through for each instant.
MOST_TIMES_AWAY = 200
# Days that a zone has rules for, and that have a day after them.
_YEARS = range(1900, 2101)

log = structlog.get_logger("hearthbeat.people")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Removed:
    """A person who is gone. `archive` is where everything of theirs was written before, None when that was not wanted."""

    person: Person
    uploads: int
    archive: Path | None
    archive_bytes: int


class People:
    """Looks people up, adds, changes and removes them."""

    def __init__(
        self, database: Database, key_cache: KeyCache, answer_cache: AnswerCache, clock: Clock, time_zone: str
    ) -> None:
        self._database = database
        self._key_cache = key_cache
        self._answer_cache = answer_cache
        self._clock = clock
        self._time_zone = time_zone

    @property
    def time_zone(self) -> str:
        """The time zone of a new person."""
        return self._time_zone

    def find(self, person_id: int) -> Person:
        """Return one person. Raises `NotFound`."""
        with self._database.transaction() as connection:
            return _found(people.find_if_there(connection, person_id), str(person_id))

    def named(self, name: str) -> Person:
        """Return the person of this name, whatever its case and spacing. Raises `NotFound`."""
        with self._database.transaction() as connection:
            return _found(people.find_by_name(connection, name), f"“{tidy_name(name)[:NAME_LENGTH]}”")

    def everyone(self) -> list[Person]:
        """Return all people, the first one first."""
        with self._database.transaction() as connection:
            return people.everyone(connection)

    def reach(self, person_id: int) -> int | None:
        """Return within whom a key of this person may manage keys and people: None for everybody, as an owner."""
        person = self.find(person_id)
        return None if person.is_owner else person.person_id

    def refuse_unless_owner(self, person_id: int) -> None:
        """Raise `OwnerNeeded` for anybody who does not look after the appliance."""
        if not self.find(person_id).is_owner:
            raise OwnerNeeded("Only a key of the appliance's owner may do this.")

    def ensure(self, name: str, time_zone: str | None = None) -> Person:
        """Return the person of this name, adding them when new."""
        with self._database.transaction() as connection:
            return ensure_person(connection, name, time_zone or self._time_zone)

    def create(self, name: str, time_zone: str | None = None) -> Person:
        """Add a person. Raises `RequestError` for what is no name or time zone, and `Conflict` for a name in use."""
        name, zone = checked_name(name), checked_zone(time_zone or self._time_zone)
        with self._database.transaction() as connection:
            people.lock(connection)
            _refuse_taken(people.find_by_name(connection, name), None)
            person = people.add(connection, name, zone)
        log.info("person_created", person_id=person.person_id)
        return person

    def change(
        self,
        person_id: int,
        *,
        name: str | None = None,
        time_zone: str | None = None,
        is_owner: bool | None = None,
    ) -> Person:
        """Give a person another name, time zone or part; what is None stays.

        A time zone places what comes from now on, and what is read again. Raises `NotFound`, `RequestError`, and
        `Conflict` for a name in use or when nobody would look after the appliance any more.
        """
        values: dict[str, str | bool] = {}
        if name is not None:
            values["name"] = checked_name(name)
        if time_zone is not None:
            values["time_zone"] = checked_zone(time_zone)
        if is_owner is not None:
            values["is_owner"] = is_owner
        with self._database.transaction() as connection:
            people.lock(connection)
            person = _found(people.find_if_there(connection, person_id), str(person_id))
            if name is not None:
                _refuse_taken(people.find_by_name(connection, name), person_id)
            if is_owner is False:
                _refuse_without_owner(connection, person, alone_too=True)
            if values:
                person = people.change(connection, person_id, **values)
        log.info("person_changed", person_id=person_id, what=sorted(values))
        return person

    def days_away(self, person_id: int) -> list[DaysAway]:
        """Return the times a person spent elsewhere; where two overlap, the later in this list counts."""
        with self._database.transaction() as connection:
            return people.days_away(connection, person_id)

    def add_days_away(self, person_id: int, away: DaysAway) -> None:
        """Keep a time spent elsewhere, for imports from now on; one that is there already counts as told last.

        Raises `Conflict` when there are too many.
        """
        with self._database.transaction() as connection:
            people.lock(connection)
            others = [each for each in people.days_away(connection, person_id) if each != away]
            if len(others) >= MOST_TIMES_AWAY:
                raise Conflict(f"There are {MOST_TIMES_AWAY} times away already; remove one first.")
            people.keep_days_away(connection, person_id, [*others, away])

    def remove_days_away(self, person_id: int, away: DaysAway) -> None:
        """Forget a time spent elsewhere. Raises `NotFound`."""
        with self._database.transaction() as connection:
            people.lock(connection)
            kept = people.days_away(connection, person_id)
            if away not in kept:
                raise NotFound("That time away is removed already.")
            people.keep_days_away(connection, person_id, [each for each in kept if each != away])

    def remove(self, person_id: int, export_to: Path | None) -> Removed:
        """Remove a person and everything of theirs, after writing all of it to a new file when one is named.

        First their keys close, everywhere. Then, while nobody else can write for them, the archive is written and
        proven readable, and only then is everything removed, all in one transaction. When anything fails nothing is
        removed and the keys open again. Raises `NotFound`; `Conflict` for the last owner while others are here, or
        when a file of that name is there; `RequestError` and `StorageFull` when the archive cannot be written.
        Backups made before still hold the person.
        """
        with self._database.transaction() as connection:
            person = _found(people.find_if_there(connection, person_id), str(person_id))
            _refuse_without_owner(connection, person, alone_too=False)
        size = 0
        with self._keys_closed(person_id), self._held(person_id) as connection:
            _refuse_without_owner(connection, person, alone_too=False)
            count = archive.count_uploads(connection, person_id)
            if export_to is not None:
                size = write_archive(connection, person_id, export_to, self._clock.now())
            public_ids = archive.remove(connection, person_id)
        for public_id in public_ids:
            self._key_cache.forget(public_id)
        self._answer_cache.forget(person_id)
        log.info("person_removed", person_id=person_id, uploads=count, archived=export_to is not None)
        return Removed(person, count, export_to, size)

    def remove_into(self, person_id: int, folder: Path | None) -> Removed:
        """Remove a person as `remove` does, with the archive under a name of its own in a folder, made if need be."""
        if folder is None:
            return self.remove(person_id, None)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(f"The folder {folder} cannot be made ({error.strerror or error}).") from error
        return self.remove(person_id, folder / f"person-{person_id}-{self._clock.now():%Y%m%d-%H%M%S}.zip")

    @contextmanager
    def _keys_closed(self, person_id: int) -> Iterator[None]:
        """Disable the person's keys, so that nothing new comes; open them again when what follows fails."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            closed = keys.disable_all(connection, person_id, now)
            for key in closed:
                keys.note(connection, key.key_id, KeyChange.DISABLED, now, "while the person is removed")
        for key in closed:
            self._key_cache.forget(key.public_id)
        try:
            yield
        except BaseException:
            with suppress(DependencyError), self._database.transaction() as connection:
                for key_id in keys.enable_again(connection, [key.key_id for key in closed]):
                    keys.note(connection, key_id, KeyChange.ENABLED, now, "the person stays")
            for key in closed:
                self._key_cache.forget(key.public_id)
            raise

    @contextmanager
    def _held(self, person_id: int) -> Iterator[Connection]:
        """Have a transaction in which nobody else writes for this person, waiting for uploads under way."""
        for attempt in range(1, _HOLD_ATTEMPTS + 1):
            is_held = False
            try:
                with self._database.transaction() as connection:
                    people.lock(connection)
                    _found(person_id if archive.hold(connection, person_id) else None, str(person_id))
                    is_held = True
                    yield connection
                return  # noqa: TRY300  committed, which is part of what may fail
            except DatabaseUnavailable:
                if is_held or attempt == _HOLD_ATTEMPTS:
                    raise
            time.sleep(_HOLD_PAUSE_S)


def ensure_person(connection: Connection, name: str, time_zone: str) -> Person:
    """Return the person of this name, adding them when new, once however many ask at the same time.

    Raises `RequestError` for what is no name.
    """
    name = checked_name(name)
    if (found := people.find_by_name(connection, name)) is not None:
        return found
    people.lock(connection)
    return people.find_by_name(connection, name) or people.add(connection, name, time_zone)


def checked_name(name: str) -> str:
    """Return a name as it is kept. Raises `RequestError` for what is no name."""
    name = tidy_name(name)
    if not is_name(name):
        raise RequestError(f"A person needs a name of 1 to {NAME_LENGTH} characters.")
    return name


def checked_zone(name: str) -> str:
    """Return the name of a time zone. Raises `RequestError` when there is none of this name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, no name at all, or a folder of names
        raise RequestError(
            f"There is no time zone “{name[:60]}”; use an IANA name as Europe/Berlin."
        ) from error
    return name


def checked_days_away(first: str, last: str, zone: str) -> DaysAway:
    """Return a time spent elsewhere out of two days (ISO 8601) and a zone. Raises `RequestError` for what is none."""
    away = DaysAway(_checked_day(first), _checked_day(last), checked_zone(zone.strip()))
    if away.last < away.first:
        raise RequestError(f"The last day, {away.last}, lies before the first, {away.first}.")
    return away


def _checked_day(told: str) -> date:
    with suppress(ValueError):
        day = date.fromisoformat(told.strip())
        if day.year in _YEARS:
            return day
    raise RequestError(f"“{told[:60]}” is no day from {_YEARS[0]} to {_YEARS[-1]}; write it as 2024-07-01.")


def _refuse_taken(other: Person | None, person_id: int | None) -> None:
    if other is not None and other.person_id != person_id:
        raise Conflict(f"There is a person named “{other.name}” already.")


def _refuse_without_owner(connection: Connection, leaving: Person, *, alone_too: bool) -> None:
    others = [each for each in people.everyone(connection) if each.person_id != leaving.person_id]
    if leaving.is_owner and (others or alone_too) and not any(each.is_owner for each in others):
        raise Conflict(
            f"“{leaving.name}” is the only owner of this appliance; make somebody else an owner first."
        )


def _found(found: T | None, who: str) -> T:
    if found is None:
        raise NotFound(f"There is no person {who}.")
    return found

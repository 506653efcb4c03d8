"""Nights, read: what is shown of each, and everything that is told of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.localday import day_number, day_start_us, instant, microseconds
from appliance.domain.nights import Night, nights_of
from appliance.foundation.errors import BadQuery, NotFound
from appliance.services.rules import rules_of
from appliance.services.sleeping import MARGIN_DAYS
from appliance.storage import sleep
from appliance.storage.database import Database

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2100, 12, 31)
_DAYS_AT_ONCE = 60


@dataclass(frozen=True, slots=True)
class NightPage:
    """Nights, newest first, and the day before which to go on (None at the end)."""

    nights: Sequence[Night]
    following: date | None


class Sleep:
    """Answers questions about one person's nights."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    def nights(self, person_id: int, *, first: date | None, last: date | None, limit: int) -> NightPage:
        """Return the nights that ended from the first to the last day, both included, newest first.

        Days without sleep are absent. Raises `BadQuery` for days out of order.
        """
        first, last = max(first or FIRST_DAY, FIRST_DAY), min(last or LAST_DAY, LAST_DAY)
        if last < first:
            raise BadQuery("“end” lies before “start”.")
        lowest, until = day_number(first), day_number(last)
        found: list[Night] = []
        with self._database.transaction() as connection:
            while until >= lowest and len(found) <= limit:
                latest = sleep.latest_start(
                    connection, person_id, instant(day_start_us(until + MARGIN_DAYS), 0)
                )
                if latest is None:
                    break
                # What starts latest may end some days later, where offsets are wide.
                until = min(until, microseconds(latest) // day_start_us(1) + MARGIN_DAYS)
                since = max(lowest, until - _DAYS_AT_ONCE)
                found += reversed(self._between(connection, person_id, since, until))
                until = since - 1
        following = _date(found[limit - 1].day) if len(found) > limit else None
        return NightPage(found[:limit], following)

    def night(self, person_id: int, day: date) -> Night:
        """Return everything told of the sleep that ended on a day. Raises `NotFound` when there is none."""
        number = day_number(day)
        with self._database.transaction() as connection:
            found = self._between(connection, person_id, number, number)
        if not found:
            raise NotFound(f"No sleep is held that ended on {day}.")
        return found[0]

    def _between(self, connection: Connection, person_id: int, first: int, last: int) -> list[Night]:
        span = day_start_us(first - MARGIN_DAYS), day_start_us(last + MARGIN_DAYS)
        nights = nights_of(
            sleep.sessions_between(connection, person_id, *span).values(),
            sleep.segments_between(connection, person_id, *span),
            rules_of(connection, person_id, self._catalogue)("sleep_total").source_rank,
        )
        return [night for night in nights if first <= night.day <= last]


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)

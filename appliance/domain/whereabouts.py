"""Where a person was, as far as clocks go: the offset from UTC at any instant.

A file that tells instants alone does not tell which day it was for the person. That follows from the zone the person
lives in, with its rules, and from stays elsewhere that the person names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from appliance.domain.localday import microseconds
from appliance.domain.sample import DAY_US, SECOND_US


class Stay(NamedTuple):
    """Time spent in another zone, [begin, end) in µs since 1970 UTC."""

    begin: int
    end: int
    zone: ZoneInfo


class Whereabouts:
    """The zone a person lives in and stays elsewhere, of which a later one counts where two overlap."""

    def __init__(self, zone: ZoneInfo, stays: Sequence[Stay] = ()) -> None:
        self.zone = zone
        self._stays = tuple(stays)
        self._days: dict[int, int | None] = {}

    def offset(self, at: int) -> int:
        """Return the offset (seconds east) at an instant (µs since 1970 UTC)."""
        zone = next((stay.zone for stay in reversed(self._stays) if stay.begin <= at < stay.end), self.zone)
        offset = datetime.fromtimestamp(at // SECOND_US, UTC).astimezone(zone).utcoffset()
        return int(offset.total_seconds()) if offset else 0

    def offsets(self, instants: Sequence[int]) -> list[int]:
        """Return the offset at each instant; days on which it stays the same are remembered."""
        days = self._days
        numbers = [at // DAY_US for at in instants]
        for day in set(numbers).difference(days):
            days[day] = self._offset_of_day(day)
        found = [days[day] for day in numbers]
        if None in found:
            return [
                self.offset(at) if offset is None else offset
                for at, offset in zip(instants, found, strict=True)
            ]
        return found  # type: ignore[return-value]  # None was just looked for

    def _offset_of_day(self, day: int) -> int | None:
        """Return the offset of a whole day in UTC, None where it changes."""
        begin, end = day * DAY_US, (day + 1) * DAY_US
        if any(stay.begin < end and begin < stay.end for stay in self._stays):
            return None
        first, last = self.offset(begin), self.offset(end)
        return first if first == last else None


class DaysAway(NamedTuple):
    """A stay as a person tells it: from the first day to the last, both included, as days of that zone (IANA name)."""

    first: date
    last: date
    zone: str

    @property
    def stay(self) -> Stay:
        """The same in instants."""
        there = ZoneInfo(self.zone)
        begin, after = self.first, self.last + timedelta(days=1)
        return Stay(
            microseconds(datetime(begin.year, begin.month, begin.day, tzinfo=there)),
            microseconds(datetime(after.year, after.month, after.day, tzinfo=there)),
            there,
        )

"""Dates as Apple's export writes them, `2026-10-01 08:00:00 +0200`, as bytes and by the column.

The offset is the phone's on the day of the export, for the whole file: it makes the instant and says nothing of where
the person was. That follows from `HKTimeZone` where a record has it, else from the person's whereabouts.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from appliance.domain.localday import day_number, day_start_us
from appliance.domain.sample import HOUR_US, SECOND_US
from appliance.domain.whereabouts import Whereabouts
from appliance.intake.timestamps import EARLIEST_YEAR, LATEST_YEAR, MAX_OFFSET_S, BadTimestamp, Timestamps

LENGTH = len("2026-10-01 08:00:00 +0200")
MOST_KNOWN = 400_000

# Cut between hours and minutes, so that of a year of seconds there are twelve thousand different parts.
_PARTS = struct.Struct(f"13s{LENGTH - 13}s")
_HOUR = re.compile(rb"(\d{4}-\d\d-\d\d) ([01]\d|2[0-3])")
_CLOCK = re.compile(rb":([0-5]\d):([0-5]\d) ([+-])(\d\d)([0-5]\d)")


class Instants:
    """Reads columns of dates; remembers hours, and the minutes and seconds within them, that it has met."""

    def __init__(self) -> None:
        self._timestamps = Timestamps(ZoneInfo("UTC"))
        self._hours = _Hours()
        self._clocks = _Clocks()

    def read(self, text: bytes) -> int:
        """Return one date in any spelling as µs since 1970 UTC. Raises `BadTimestamp`."""
        return self._timestamps.read(text.decode("ascii", "replace"))[0]

    def column(self, texts: Sequence[bytes]) -> list[int]:
        """Return dates of `LENGTH` bytes each as µs since 1970 UTC. Raises `BadTimestamp` if one is spelt otherwise."""
        hours, clocks = self._hours, self._clocks
        joined = b"".join(texts)
        if len(joined) != LENGTH * len(texts):
            raise BadTimestamp("not in the usual spelling")
        return [hours[hour] + clocks[clock] for hour, clock in _PARTS.iter_unpack(joined)]


class _Hours(dict[bytes, int]):
    """Beginnings of hours, as if told in UTC."""

    def __missing__(self, key: bytes) -> int:
        found = _HOUR.fullmatch(key)
        if not found:
            raise BadTimestamp("not in the usual spelling")
        try:
            day = date.fromisoformat(found[1].decode())
        except ValueError as error:
            raise BadTimestamp("there is no such day") from error
        if not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
            raise BadTimestamp(f"the year {day.year} is out of range")
        if len(self) > MOST_KNOWN:
            self.clear()
        self[key] = at = day_start_us(day_number(day)) + int(found[2]) * HOUR_US
        return at


class _Clocks(dict[bytes, int]):
    """Minutes and seconds with their offset, as µs from the hour in UTC."""

    def __missing__(self, key: bytes) -> int:
        found = _CLOCK.fullmatch(key)
        if not found:
            raise BadTimestamp("not in the usual spelling")
        minutes, seconds, east_hours, east_minutes = map(int, found.group(1, 2, 4, 5))
        offset = (east_hours * 3_600 + east_minutes * 60) * (-1 if found[3] == b"-" else 1)
        if abs(offset) > MAX_OFFSET_S:
            raise BadTimestamp("there is no such offset from UTC")
        if len(self) > MOST_KNOWN:
            self.clear()
        self[key] = at = (minutes * 60 + seconds - offset) * SECOND_US
        return at


class Places:
    """Offsets from UTC: of the zone a record names, else of where the person was."""

    def __init__(self, home: Whereabouts) -> None:
        self.home = home
        self._named: dict[str, Whereabouts] = {}

    def named(self, zone: str) -> Whereabouts:
        """Return the whereabouts of a record that names a zone; home for a name that is none."""
        found = self._named.get(zone)
        if found is None:
            try:
                found = Whereabouts(ZoneInfo(zone))
            except (ValueError, OSError, KeyError):  # what zoneinfo raises for a strange name differs by name
                found = self.home
            if len(self._named) < MOST_KNOWN:
                self._named[zone] = found
        return found

    def offset(self, at: int, zone: str | None) -> int:
        """Return the offset in seconds at an instant."""
        return (self.named(zone) if zone else self.home).offset(at)

    def offsets(self, instants: Sequence[int], zones: dict[int, str]) -> list[int]:
        """Return the offset at each instant; `zones` has those a record names, by position."""
        if not zones:
            return self.home.offsets(instants)
        if len(zones) == len(instants) and len(names := set(zones.values())) == 1:
            return self.named(names.pop()).offsets(instants)
        found = self.home.offsets(instants)
        for position, zone in zones.items():
            found[position] = self.named(zone).offset(instants[position])
        return found

"""The stretch of time a demo covers, in instants and on the wall clock of one zone."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

QUARTER_S = 900


def dice(seed: int, *topic: object) -> random.Random:
    """Return the generator of one topic, so that one part can change without shifting all the others."""
    return random.Random(":".join(map(str, (seed, *topic))))  # noqa: S311  a story has to repeat, not to be secret


@dataclass(frozen=True, slots=True)
class LocalDay:
    """One calendar day as the half-open span [start, end) of Unix seconds: 23, 24 or 25 hours."""

    date: date
    start: int
    end: int

    @property
    def minutes(self) -> int:
        """Length in minutes."""
        return (self.end - self.start) // 60


@dataclass(frozen=True, slots=True)
class Window:
    """The local days of a demo, oldest first; the last one is cut off at `until` (Unix seconds)."""

    zone: ZoneInfo
    until: int
    days: tuple[LocalDay, ...]

    @classmethod
    def ending(cls, until: datetime, zone: ZoneInfo, days: int) -> Window:
        """Return the window of so many local days whose last day holds `until`.

        Raises `ValueError` when `until` has no offset or there is not one day.
        """
        if until.tzinfo is None:
            raise ValueError("until must be an aware instant.")
        if days < 1:
            raise ValueError("A demo needs at least one day.")
        today = until.astimezone(zone).date()
        dates = [today - timedelta(days=back) for back in range(days, -2, -1)]
        midnights = [int(datetime.combine(day, time(), zone).timestamp()) for day in dates]
        spans = zip(dates, midnights, midnights[1:], strict=False)
        return cls(zone, int(until.timestamp()), tuple(LocalDay(*span) for span in spans)[1:])

    @property
    def start(self) -> int:
        """The first instant, in Unix seconds."""
        return self.days[0].start

    def at(self, day: date, hour: float) -> int:
        """Return the instant at which the wall clock of that day shows the hour (7.5 is half past seven).

        Hours below 0 or above 24 reach into the neighbouring day.
        """
        moment = datetime.combine(day, time()) + timedelta(seconds=round(hour * 3600))
        return int(moment.replace(tzinfo=self.zone).timestamp())

    def wall(self, instant: int) -> datetime:
        """Return the instant on the wall clock, with its own offset."""
        return datetime.fromtimestamp(instant, self.zone)

    def stamp(self, instant: int) -> str:
        """Return the instant as the phone writes it: `2026-03-08 07:30:00 +0100`."""
        quarter, second = divmod(instant, QUARTER_S)
        date_and_hour, minute, offset = _quarter(self.zone, quarter)
        return f"{date_and_hour}:{minute + second // 60:02}:{second % 60:02} {offset}"


@lru_cache(maxsize=8192)
def _quarter(zone: ZoneInfo, quarter: int) -> tuple[str, int, str]:
    """Return what all instants of a quarter of an hour since 1970 share: date and hour, first minute, offset.

    Every zone of today is off UTC by whole quarters. A demo writes two hundred thousand dates; this makes them
    five times as fast as `strftime`.
    """
    wall = datetime.fromtimestamp(quarter * QUARTER_S, zone)
    return f"{wall:%Y-%m-%d %H}", wall.minute, f"{wall:%z}"

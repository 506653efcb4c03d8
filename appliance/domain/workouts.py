"""Many workouts side by side: which ones somebody asks for, what they add up to by week, and the best of them.

Everything is counted from what the phone told; a number it did not tell is None and adds nothing. All pure.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

WEEK = timedelta(days=7)
# A pace over less than this says more about the start than about the sport.
LEAST_KM_OF_A_PACE = 1.0
# What a forgotten stop button or a guessed end made is nobody's best.
_NO_BEST = {"very_long", "end_missing", "end_derived"}


@dataclass(frozen=True, slots=True)
class Line:
    """One workout in few numbers, in the units their names tell. `start` carries the offset of where the person was."""

    workout_id: int
    label: str
    name: str | None
    source: str
    start: datetime
    end: datetime | None
    duration_s: float | None
    distance_km: float | None
    active_energy_kcal: float | None
    avg_heart_rate: float | None
    max_heart_rate: float | None
    elevation_up_m: float | None
    flags: tuple[str, ...]
    has_route: bool

    @property
    def day(self) -> date:
        """The local day it began on."""
        return self.start.date()

    @property
    def seconds(self) -> float | None:
        """Active time as told, else from start to end."""
        if self.duration_s is not None:
            return self.duration_s
        return None if self.end is None else (self.end - self.start).total_seconds()

    @property
    def speed_km_h(self) -> float | None:
        """The average speed over the active time; None where time or distance are not told."""
        return speed_km_h(self.distance_km, self.seconds)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which workouts somebody asks for; the days are included, None and "" ask for nothing in particular."""

    first: date | None = None
    last: date | None = None
    label: str = ""
    text: str = ""
    least_km: float | None = None
    least_min: float | None = None

    def takes(self, line: Line, type_name: str) -> bool:
        """Whether a workout is one of those; `type_name` is its type as shown."""
        return (
            (self.first is None or line.day >= self.first)
            and (self.last is None or line.day <= self.last)
            and (not self.label or line.label == self.label)
            and (self.least_km is None or (line.distance_km or 0) >= self.least_km)
            and (self.least_min is None or (line.seconds or 0) >= self.least_min * 60)
            and (not self.text or self._is_told(line, type_name))
        )

    def _is_told(self, line: Line, type_name: str) -> bool:
        wanted = self.text.casefold().strip()
        return any(wanted in told.casefold() for told in (line.name or "", type_name, line.source))


@dataclass(frozen=True, slots=True)
class Totals:
    """What workouts add up to; None where none of them told it."""

    count: int
    seconds: float | None
    distance_km: float | None
    active_energy_kcal: float | None


@dataclass(frozen=True, slots=True)
class Bests:
    """The best workouts of one type; None where none tells it. `fastest` over a kilometre or more, on average."""

    label: str
    count: int
    longest: Line | None
    farthest: Line | None
    fastest: Line | None


def speed_km_h(distance_km: float | None, seconds: float | None) -> float | None:
    """Return the average speed; None where one of both is not told, or nothing was gone."""
    return distance_km / (seconds / 3600) if distance_km and seconds else None


def totals_of(lines: Sequence[Line]) -> Totals:
    """Add workouts up."""
    return Totals(
        len(lines),
        _sum(line.seconds for line in lines),
        _sum(line.distance_km for line in lines),
        _sum(line.active_energy_kcal for line in lines),
    )


def week_of(day: date) -> date:
    """Return the Monday a week begins on (ISO 8601)."""
    return day - timedelta(days=day.weekday())


def hours_by_week(lines: Iterable[Line], first: date, last: date) -> list[tuple[date, float]]:
    """Return the Monday of each week that has days from first to last, and the hours of the workouts in it."""
    hours: dict[date, float] = defaultdict(float)
    for line in lines:
        if first <= line.day <= last:
            hours[week_of(line.day)] += (line.seconds or 0) / 3600
    weeks = (week_of(last) - week_of(first)) // WEEK + 1
    return [(monday, hours[monday]) for monday in (week_of(first) + n * WEEK for n in range(max(weeks, 0)))]


def labels_by_time(lines: Iterable[Line]) -> list[str]:
    """Return the types held, the one most time was spent with first."""
    spent: dict[str, float] = defaultdict(float)
    for line in lines:
        spent[line.label] += line.seconds or 0
    return sorted(spent, key=lambda label: (-spent[label], label))


def bests_of(lines: Sequence[Line]) -> list[Bests]:
    """Return the bests of each type, the one most time was spent with first; of equal ones the earlier stands."""
    found = []
    for label in labels_by_time(lines):
        own = [line for line in reversed(lines) if line.label == label]
        fit = [line for line in own if _NO_BEST.isdisjoint(line.flags)]
        paced = [line for line in fit if (line.distance_km or 0) >= LEAST_KM_OF_A_PACE]
        found.append(
            Bests(
                label,
                len(own),
                max((line for line in fit if line.seconds), key=lambda line: line.seconds or 0, default=None),
                max(
                    (line for line in fit if line.distance_km),
                    key=lambda line: line.distance_km or 0,
                    default=None,
                ),
                max(
                    (line for line in paced if line.speed_km_h),
                    key=lambda line: line.speed_km_h or 0,
                    default=None,
                ),
            )
        )
    return found


def _sum(numbers: Iterable[float | None]) -> float | None:
    told = [number for number in numbers if number is not None]
    return math.fsum(told) if told else None

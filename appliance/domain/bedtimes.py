"""When somebody goes to sleep and wakes up, and how alike those times are from night to night.

Times of day live on a circle: 23:30 and 00:30 are an hour apart and their mean is midnight. Every time is the wall
clock of where the person was, so that a journey or a clock change moves nothing. All in minutes, all pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from appliance.domain.nights import SourceNight
from appliance.domain.sample import DAY_US, SECOND_US

DAY_MIN = 1440
# Fewer times make no habit.
FEWEST_TIMES = 3
# The mean of times all over the clock means nothing: below this length of their mean vector none is told.
LEAST_AGREEMENT = 0.3
# 1 January 1970 was a Thursday; Monday is 0.
_THURSDAY, _SATURDAY = 3, 5


@dataclass(frozen=True, slots=True)
class NightTimes:
    """One night on the wall clock. `begin` is in minutes of the day, `end` in the same, and more than `begin`.

    `length` is real time, which differs from `end - begin` in a night of a clock change. `day` is that of waking up,
    in days since 1970-01-01.
    """

    day: int
    begin: float
    end: float
    length: float

    @property
    def middle(self) -> float:
        """Half-way between, on the same clock."""
        return (self.begin + self.end) / 2

    @property
    def is_free(self) -> bool:
        """Whether it ended on a Saturday or a Sunday."""
        return (self.day + _THURSDAY) % 7 >= _SATURDAY


@dataclass(frozen=True, slots=True)
class Habit:
    """The usual time of day of something, and how far single times lie from it (root mean square). `count` is of how many."""

    mean: float
    deviation: float
    count: int


@dataclass(frozen=True, slots=True)
class Regularity:
    """Habits of going to sleep and waking up; None where there are too few times, or they are all over the clock.

    `shift` is how much later the middle of the sleep lies in nights before a Saturday or Sunday than in others.
    """

    asleep: Habit | None
    awake: Habit | None
    shift: float | None


def times_of(night: SourceNight) -> NightTimes | None:
    """Return when the night itself was; None where no times were told."""
    session = night.main
    if session.window is None:
        return None
    begin, end = session.window
    clock = _clock(begin, session.start_offset)
    # A sleep is shorter than a day, so its end is the next time the clock shows that.
    return NightTimes(
        night.day,
        clock,
        clock + (_clock(end, session.offset) - clock) % DAY_MIN,
        (end - begin) / (60 * SECOND_US),
    )


def habit(times: Iterable[float]) -> Habit | None:
    """Return the usual one of times of day; None when they are too few or have no mean."""
    told = list(times)
    if len(told) < FEWEST_TIMES:
        return None
    mean = circular_mean(told)
    if mean is None:
        return None
    distances = [apart(time, mean) for time in told]
    deviation = math.sqrt(sum(each * each for each in distances) / (len(told) - 1))
    return Habit(mean, deviation, len(told))


def regularity(nights: Sequence[NightTimes]) -> Regularity:
    """Return the habits in these nights."""
    free = habit(night.middle for night in nights if night.is_free)
    bound = habit(night.middle for night in nights if not night.is_free)
    return Regularity(
        habit(night.begin for night in nights),
        habit(night.end for night in nights),
        apart(free.mean, bound.mean) if free and bound else None,
    )


def circular_mean(times: Sequence[float]) -> float | None:
    """Return the mean time of day, from 0 up to 1,440; None where the times cancel each other out."""
    if not times:
        return None
    angles = [time / DAY_MIN * math.tau for time in times]
    east, north = fmean(map(math.cos, angles)), fmean(map(math.sin, angles))
    if math.hypot(east, north) < LEAST_AGREEMENT:
        return None
    # A hair before midnight would come out as 1,440 itself.
    return round(math.atan2(north, east) / math.tau * DAY_MIN, 6) % DAY_MIN


def apart(time: float, other: float) -> float:
    """Return how much later one time of day is than another, the short way round: from -720 up to 720."""
    return (time - other + DAY_MIN / 2) % DAY_MIN - DAY_MIN / 2


def laid_out(nights: Sequence[NightTimes]) -> list[tuple[float, float]]:
    """Return begin and end of each night on one axis, each as near to the others as the clock allows.

    For who sleeps at all hours the axis is centred on three in the morning.
    """
    middles = [night.middle for night in nights]
    centre = circular_mean(middles)
    if centre is None:
        centre = 180.0
    shifts = [centre + apart(middle, centre) - middle for middle in middles]
    return [(night.begin + shift, night.end + shift) for night, shift in zip(nights, shifts, strict=True)]


def usual_length(nights: Sequence[NightTimes]) -> float | None:
    """Return the median length of these nights in minutes; None without any."""
    return median(night.length for night in nights) if nights else None


def _clock(at: int, offset: int) -> float:
    return (at + offset * SECOND_US) % DAY_US / (60 * SECOND_US)

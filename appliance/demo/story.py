"""What happens when: the plan of every day, from which all numbers follow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.demo.nights import Night, sleep_until
from appliance.demo.window import LocalDay, Window, dice

if TYPE_CHECKING:
    import random

ILLNESS = (0.7, 1.0, 0.6)  # three days of a feverish cold, 1 at its worst
ILLNESS_AT = 0.72  # as a share of the window: within the last month of ninety days
WEAK_DAYS = 2  # nobody trains the day after a fever
WATCH_OFF_AT = 0.8

# Three months of regular training take a few beats off the resting heart rate and lift its variability; a fever
# adds about eight beats to each degree and presses the variability down.
RESTING_BPM, RESTING_TRAINED, RESTING_ILL = 61.0, -3.6, 9.0
HRV_MS, HRV_TRAINED, HRV_ILL = 46.0, 8.0, -18.0
SLIPPED = 0.6  # how fit she had been at the best time of the past
WEIGHT_KG, WEIGHT_LOST_KG = 72.4, 2.5


@dataclass(frozen=True, slots=True)
class Habit:
    """A workout that belongs to a weekday: usual wall-clock hour and length in minutes."""

    sport: str
    hour: float
    minutes: float
    intervals: bool = False


RUN, RIDE = "run", "ride"
HABITS = {
    1: Habit(RUN, 18.6, 36),
    3: Habit(RUN, 18.6, 41, intervals=True),
    5: Habit(RUN, 9.9, 52),
    6: Habit(RIDE, 10.7, 84),
}


@dataclass(frozen=True, slots=True)
class Outing:
    """A workout that is going to happen; start in Unix seconds."""

    sport: str
    start: int
    duration_s: int
    intervals: bool

    @property
    def end(self) -> int:
        """The end, in Unix seconds."""
        return self.start + self.duration_s


@dataclass(frozen=True, slots=True)
class DayPlan:
    """What one day holds. `fitness` and `illness` run from 0 to 1."""

    day: LocalDay
    fitness: float
    illness: float
    resting_bpm: float
    hrv_ms: float
    weight_kg: float
    night: Night
    tonight: Night
    night_recorded: bool
    outings: tuple[Outing, ...]

    @property
    def workday(self) -> bool:
        """Whether Maya goes to work."""
        return self.day.date.weekday() < 5 and not self.illness


def tell(window: Window, seed: int, *, past: bool = False) -> list[DayPlan]:
    """Return the plan of every day of the window, oldest first.

    In it Maya trains herself up from nothing; in the `past` before it she had done so once and let it slip again.
    """
    count = len(window.days)
    illness = _illness(count)
    watch_off = round(count * WATCH_OFF_AT)
    nights = [
        sleep_until(day, window, ill, dice(seed, "night", day.date))
        for day, ill in zip(_with_tomorrow(window), [*illness, 0.0], strict=True)
    ]
    plans = []
    for index, day in enumerate(window.days):
        roll = dice(seed, "day", day.date)
        share, ill, night = index / max(1, count - 1), illness[index], nights[index]
        fitness = SLIPPED * math.sin(math.pi * share) if past else share
        weak = any(illness[max(0, index - WEAK_DAYS) : index + 1])
        plans.append(
            DayPlan(
                day=day,
                fitness=fitness,
                illness=ill,
                resting_bpm=RESTING_BPM + RESTING_TRAINED * fitness + RESTING_ILL * ill + roll.gauss(0, 0.9),
                hrv_ms=HRV_MS + HRV_TRAINED * fitness + HRV_ILL * ill + roll.gauss(0, 2.5),
                weight_kg=WEIGHT_KG - WEIGHT_LOST_KG * fitness,
                night=night,
                tonight=nights[index + 1],
                night_recorded=index != watch_off
                and night.start >= window.start
                and night.end <= window.until,
                outings=() if weak else _outings(day, window, fitness, roll),
            )
        )
    return plans


def _illness(count: int) -> list[float]:
    """Return how ill each day is; a window too short for the whole cold has none."""
    days = [0.0] * count
    first = round(count * ILLNESS_AT)
    if first + len(ILLNESS) <= count:
        days[first : first + len(ILLNESS)] = ILLNESS
    return days


def _with_tomorrow(window: Window) -> list[LocalDay]:
    return [*window.days, Window.ending(window.wall(window.days[-1].end), window.zone, 1).days[0]]


def _outings(day: LocalDay, window: Window, fitness: float, roll: random.Random) -> tuple[Outing, ...]:
    habit = HABITS.get(day.date.weekday())
    if habit is None or roll.random() < 0.05:  # now and then life is in the way
        return ()
    start = window.at(day.date, roll.gauss(habit.hour, 0.15))
    minutes = habit.minutes * (0.88 + 0.25 * fitness) * roll.gauss(1, 0.05)
    return (Outing(habit.sport, start, round(minutes * 60), habit.intervals),)

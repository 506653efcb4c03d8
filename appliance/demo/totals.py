"""Hourly sums: what the automation "Daily totals" sends. An hour without anything has no row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.demo.points import BOTH, PHONE, WATCH
from appliance.demo.workouts import BASAL_KCAL_PER_MIN

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from appliance.demo.motion import Trace
    from appliance.demo.points import MetricBook
    from appliance.demo.story import DayPlan

# Now and then the app sends the phone's own row beside the joined one; both tell of the same steps.
EVERY_NTH_DAY_TWICE = 5
DRINKS = ((7, 250), (10, 330), (13, 400), (15, 250), (18, 500), (20, 250))  # wall-clock hour, mL
COFFEES = ((7, 95), (10, 80), (14, 63))  # wall-clock hour, mg of caffeine


def note_hours(plan: DayPlan, trace: Trace, book: MetricBook, roll: random.Random) -> None:
    """Add the hourly sums of a day up to the end of the window; the last hour is cut short."""
    day, until = plan.day, book.window.until
    for start in range(day.start, min(day.end, until), 3600):
        first = (start - day.start) // 60
        last = min(first + 60, day.minutes, (until - day.start) // 60)
        if last > first:
            _note_hour(plan, trace, book, roll, slice(first, last))
    _note_intake(plan, book, roll)


def _note_hour(plan: DayPlan, trace: Trace, book: MetricBook, roll: random.Random, hour: slice) -> None:
    start = plan.day.start + 60 * hour.start
    carried = 7 <= book.window.wall(start).hour <= 21 and roll.random() < 0.85
    worn = trace.worn[hour]
    counted = [worn[minute] or carried for minute in range(len(worn))]
    steps = sum(_where(trace.steps[hour], counted))
    if any(worn) or carried:
        source = (BOTH if carried else WATCH) if any(worn) else PHONE
        walk_km = sum(_where(trace.walk_km[hour], counted))
        _note_sum(book, "step_count", "count", start, source, steps)
        _note_sum(book, "walking_running_distance", "km", start, source, walk_km)
        if source == BOTH and steps > 200 and plan.day.date.toordinal() % EVERY_NTH_DAY_TWICE == 0:
            seen = roll.uniform(0.75, 0.96)
            _note_sum(book, "step_count", "count", start, PHONE, round(steps * seen))
            _note_sum(book, "walking_running_distance", "km", start, PHONE, walk_km * seen)
    if carried and steps > 400 and roll.random() < 0.6:
        _note_sum(book, "flights_climbed", "count", start, BOTH if any(worn) else PHONE, roll.randint(1, 4))
    if any(worn):
        _note_watch_hour(trace, book, roll, hour, start)


def _note_watch_hour(trace: Trace, book: MetricBook, roll: random.Random, hour: slice, start: int) -> None:
    """Add what only the watch can know."""
    worn = trace.worn[hour]
    upright = sum(steps > 0 for steps in _where(trace.steps[hour], worn))
    active = sum(_where(trace.active_kcal[hour], worn))
    _note_sum(book, "active_energy", "kcal", start, WATCH, active)
    _note_sum(book, "basal_energy_burned", "kcal", start, WATCH, sum(worn) * BASAL_KCAL_PER_MIN)
    _note_sum(book, "apple_exercise_time", "min", start, WATCH, sum(_where(trace.exercising[hour], worn)))
    _note_sum(book, "cycling_distance", "km", start, WATCH, sum(trace.ride_km[hour]))
    if upright:
        standing = min(len(worn), upright + roll.randint(0, 6))
        _note_sum(book, "apple_stand_time", "min", start, WATCH, standing)
        _note_sum(book, "apple_stand_hour", "count", start, "", 1)  # the app names no source for this one
    if 7 <= book.window.wall(start).hour < 19:
        daylight = sum(trace.outdoors[hour]) * roll.uniform(0.7, 1)
        _note_sum(book, "time_in_daylight", "min", start, WATCH, round(daylight))


def _where(values: Sequence[float], flags: Sequence[bool]) -> list[float]:
    return [value for value, flag in zip(values, flags, strict=True) if flag]


def _note_sum(book: MetricBook, name: str, units: str, start: int, source: str, qty: float) -> None:
    if qty > 0:
        book.add(name, units, start, source, qty=round(qty, 4))


def _note_intake(plan: DayPlan, book: MetricBook, roll: random.Random) -> None:
    """Add what Maya logs by hand, as far as she remembers to."""
    for hour, usual_ml in DRINKS:
        if roll.random() < 0.8:
            instant = book.window.at(plan.day.date, hour)
            _note_sum(book, "dietary_water", "mL", instant, PHONE, usual_ml + 50 * roll.randint(-1, 2))
    for hour, usual_mg in COFFEES:
        if roll.random() < (0.2 if plan.illness else 0.75):
            _note_sum(book, "caffeine", "mg", book.window.at(plan.day.date, hour), PHONE, usual_mg)
    if roll.random() < 0.35:
        _note_sum(
            book, "mindful_minutes", "min", book.window.at(plan.day.date, 21), PHONE, roll.randint(5, 12)
        )

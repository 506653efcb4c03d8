"""What watch, phone and an app have counted of a day, each for itself: the raw records behind the hourly sums.

The watch counts while it is worn. The phone counts while it is carried: on the wrist's minutes a little less than the
watch, and alone what is walked while the watch charges. A running app counts every workout once more. Laid along
time, the watch first and then the phone, they are the sums that `totals` tells of the same day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.demo.points import PHONE, WATCH
from appliance.demo.spelling import CATEGORY, QUANTITY, Raw, metadata, number
from appliance.demo.workouts import BASAL_KCAL_PER_MIN

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from appliance.demo.life import LivedDay
    from appliance.demo.points import MetricBook

APP = "Laps & Loops"
LONGEST_RUN = 9  # minutes in one record
SLOW_TO_NOTICE_S, SOON_TIRED_S = (
    13,
    9,
)  # how much later than the watch a pocket notices a walk, and how much earlier its end

STEPS = (QUANTITY + "StepCount", "count")
WALKED = (QUANTITY + "DistanceWalkingRunning", "km")
CYCLED = (QUANTITY + "DistanceCycling", "km")
ACTIVE = (QUANTITY + "ActiveEnergyBurned", "Cal")
BASAL = (QUANTITY + "BasalEnergyBurned", "Cal")
EXERCISE = (QUANTITY + "AppleExerciseTime", "min")
STOOD = (QUANTITY + "AppleStandTime", "min")
DAYLIGHT = (QUANTITY + "TimeInDaylight", "min")
FLIGHTS = (QUANTITY + "FlightsClimbed", "count")
WATER = (QUANTITY + "DietaryWater", "mL")
COFFEE = (QUANTITY + "DietaryCaffeine", "mg")
STAND_HOUR = CATEGORY + "AppleStandHour"
MINDFUL = CATEGORY + "MindfulSession"


def counted(lived: LivedDay, hours: MetricBook, roll: random.Random) -> Iterator[Raw]:
    """Yield everything that was counted on a day up to the end of the window; `hours` has the day's hourly sums."""
    day, trace = lived.plan.day, lived.trace
    known = min(day.minutes, (hours.window.until - day.start) // 60)
    worn = trace.worn[:known]
    carried = _carried(lived, hours, known)
    walking = [max(moved) > 0 for moved in zip(trace.steps[:known], trace.walk_km, strict=False)]
    stride = ((STEPS, trace.steps), (WALKED, trace.walk_km))
    for first, last in _runs([w and c for w, c in zip(walking, worn, strict=True)]):
        yield from _sums(lived, WATCH, first, last, *stride)
    for first, last in _runs([w and c and not on for w, c, on in zip(walking, carried, worn, strict=True)]):
        yield from _sums(lived, PHONE, first, last, *stride)
    for first, last in _runs([w and c and on for w, c, on in zip(walking, carried, worn, strict=True)]):
        seen = roll.uniform(0.78, 0.97)
        for raw in _sums(lived, PHONE, first, last, *stride, share=seen):
            yield raw._replace(start=raw.start + SLOW_TO_NOTICE_S, end=raw.end - SOON_TIRED_S)
    yield from _watch_alone(lived, worn)
    yield from _app(lived, known)
    yield from _by_the_hour(lived, hours, worn)


def logged(hours: MetricBook, roll: random.Random) -> Iterator[Raw]:
    """Yield what was entered by hand, at some minute of the hour whose sum holds it."""
    until = hours.window.until
    entered = metadata(HKWasUserEntered="1")
    for name, (kind, unit) in (("dietary_water", WATER), ("caffeine", COFFEE)):
        for _, hour, point in hours.timed(name):
            at = min(hour + 60 * roll.randint(2, 57), until)
            yield Raw(kind, PHONE, at, at, number(point["qty"]), unit, entered)
    for _, hour, point in hours.timed("mindful_minutes"):
        end = min(hour + 1800 + 60 * point["qty"], until)
        yield Raw(MINDFUL, PHONE, max(hour, end - 60 * point["qty"]), end, "HKCategoryValueNotApplicable")


def _carried(lived: LivedDay, hours: MetricBook, known: int) -> list[bool]:
    """Return the minutes in whose hour the phone was carried, as far as anything was walked in it."""
    carried = [False] * known
    for _, start, point in hours.timed("step_count"):
        if PHONE in point["source"]:
            first = (start - lived.plan.day.start) // 60
            carried[first : first + 60] = [True] * len(carried[first : first + 60])
    return carried


def _runs(flags: Sequence[bool], longest: int = LONGEST_RUN) -> Iterator[tuple[int, int]]:
    """Yield the stretches of minutes, [first, last), in which the flags are set, none longer than `longest`."""
    first = None
    for minute, flag in enumerate((*flags, False)):
        if first is not None and (not flag or minute - first == longest):
            yield first, minute
            first = None
        if flag and first is None:
            first = minute


def _sums(
    lived: LivedDay,
    source: str,
    first: int,
    last: int,
    *measured: tuple[tuple[str, str], Sequence[float]],
    share: float = 1.0,
) -> Iterator[Raw]:
    begin = lived.plan.day.start
    for (kind, unit), values in measured:
        amount = share * sum(values[first:last])
        amount = round(amount) if unit == "count" else amount
        if amount > 0:
            yield Raw(kind, source, begin + 60 * first, begin + 60 * last, number(amount), unit)


def _watch_alone(lived: LivedDay, worn: Sequence[bool]) -> Iterator[Raw]:
    trace = lived.trace
    for first, last in _runs(
        [on and kcal > 0 for on, kcal in zip(worn, trace.active_kcal, strict=False)],
    ):
        yield from _sums(lived, WATCH, first, last, (ACTIVE, trace.active_kcal))
    for first, last in _runs(worn, 60):
        yield from _sums(lived, WATCH, first, last, (BASAL, [BASAL_KCAL_PER_MIN] * len(worn)))
    for first, last in _runs([km > 0 for km in trace.ride_km[: len(worn)]]):
        yield from _sums(lived, WATCH, first, last, (CYCLED, trace.ride_km))
    exercising = [on and busy for on, busy in zip(worn, trace.exercising, strict=False)]
    for first, last in _runs(exercising, 1):
        yield from _sums(lived, WATCH, first, last, (EXERCISE, trace.exercising))


def _app(lived: LivedDay, known: int) -> Iterator[Raw]:
    """Yield what the running app made of each workout. It believes in more energy than the watch does."""
    trace, begin = lived.trace, lived.plan.day.start
    for session in lived.sessions:
        first = (session.outing.start - begin) // 60
        inside = range(first, min(first + len(session.km), known))
        for measured, values, share in (
            (STEPS, trace.steps, 1.0),
            (WALKED, trace.walk_km, 0.99),
            (CYCLED, trace.ride_km, 0.99),
            (ACTIVE, trace.active_kcal, 1.1),
        ):
            for start, end in _runs([minute in inside and values[minute] > 0 for minute in range(known)], 4):
                yield from _sums(lived, APP, start, end, (measured, values), share=share)


def _by_the_hour(lived: LivedDay, hours: MetricBook, worn: Sequence[bool]) -> Iterator[Raw]:
    until = hours.window.until
    for (kind, unit), name in ((STOOD, "apple_stand_time"), (DAYLIGHT, "time_in_daylight")):
        for _, start, point in hours.timed(name):
            end = min(start + 60 * int(point["qty"]), until)
            yield Raw(kind, WATCH, start, end, number(point["qty"]), unit)
    for _, start, point in hours.timed("flights_climbed"):
        for climbed in range(int(point["qty"])):
            at = min(start + 60 * climbed, until)
            yield Raw(FLIGHTS[0], PHONE, at, min(at + 60, until), "1", FLIGHTS[1])
    stood = {start for _, start, _ in hours.timed("apple_stand_hour")}
    for first in range(0, len(worn), 60):
        start = lived.plan.day.start + 60 * first
        if any(worn[first : first + 60]):
            word = "Stood" if start in stood else "Idle"
            end = min(start + 3600, until)
            yield Raw(STAND_HOUR, WATCH, start, end, f"HKCategoryValueAppleStandHour{word}")

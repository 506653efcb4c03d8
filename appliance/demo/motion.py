"""A day minute by minute: everything hourly and every heart beat is read off this one trace."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appliance.demo.story import RUN

if TYPE_CHECKING:
    import random

    from appliance.demo.nights import Night
    from appliance.demo.story import DayPlan
    from appliance.demo.window import Window
    from appliance.demo.workouts import Session

# Metabolic equivalents after the Compendium of Physical Activities: lying asleep, desk and household, brisk walk.
ASLEEP_MET, AT_EASE_MET, POTTERING_MET = 0.95, 1.22, 1.9
STEP_M = 0.69

BPM_PER_MET = 10.2  # heart beats a minute for each MET above ease, below the threshold
HEART_RISE, HEART_FALL = 0.6, 0.16  # share of the way to the target in one minute; a heart calms more slowly
AWAKE_BPM = 8  # sitting awake, above the resting heart rate
CIRCADIAN_BPM = 3  # highest in the late afternoon
STAGE_BPM = {"Deep": -5.0, "Core": -2.5, "REM": 1.5, "Awake": 7.0}
LOWEST_BPM, HIGHEST_BPM = 41, 187

RACING_FROM, RACING_MINUTES = 15.2, 11  # a fever at its worst, resting on the sofa
WORKDAY_WALKS = ((8.05, 10), (8.7, 7), (12.55, 14), (17.3, 7), (17.85, 10))  # wall-clock hour, minutes
SATURDAY_WALKS = ((12.4, 16), (13.6, 12), (16.5, 14))
SUNDAY_WALKS = ((15.6, 24),)


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk of its own, long enough for the phone to judge the gait; minutes count from midnight."""

    minute: int
    minutes: int


@dataclass(slots=True)
class Trace:
    """One entry per minute of the local day. Energy is the watch's own and only there while it is worn."""

    met: list[float]
    steps: list[float]
    walk_km: list[float]
    ride_km: list[float]
    active_kcal: list[float]
    heart: list[float]
    worn: list[bool]
    asleep: list[bool]
    exercising: list[bool]
    outdoors: list[bool]
    walks: list[Walk] = field(default_factory=list)
    racing: range = range(0)


def live_through(plan: DayPlan, sessions: list[Session], window: Window, roll: random.Random) -> Trace:
    """Return the trace of a whole day, its evening included even when the window ends before it."""
    count = plan.day.minutes
    stages = _stages(plan)
    trace = Trace(
        met=_ease(stages, roll),
        steps=[0.0] * count,
        walk_km=[0.0] * count,
        ride_km=[0.0] * count,
        active_kcal=[0.0] * count,
        heart=[],
        worn=_worn(plan, window, roll),
        asleep=[stage is not None for stage in stages],
        exercising=[False] * count,
        outdoors=[False] * count,
    )
    _potter(trace, plan, roll)
    _walk(trace, plan, window, roll)
    for minute in range(count):
        trace.walk_km[minute] = trace.steps[minute] * STEP_M / 1000
        trace.active_kcal[minute] = max(0.0, trace.met[minute] - 1) * plan.weight_kg / 60
    for session in sessions:
        _exercise(trace, plan, session)
    trace.heart = _heart(trace, plan, stages, roll)
    if plan.illness == 1:
        _race(trace, plan, window, roll)
    return trace


def _minute(plan: DayPlan, instant: int) -> int:
    return min(max((instant - plan.day.start) // 60, 0), plan.day.minutes)


def _stages(plan: DayPlan) -> list[str | None]:
    """Return the sleep stage of each minute, None while up."""
    stages: list[str | None] = [None] * plan.day.minutes
    nights: tuple[Night, ...] = (plan.night, plan.tonight)
    for stage in (stage for night in nights for stage in night.stages):
        first, last = _minute(plan, stage.start), _minute(plan, stage.end)
        stages[first:last] = [stage.value] * (last - first)
    return stages


def _ease(stages: list[str | None], roll: random.Random) -> list[float]:
    """Return what lying and sitting costs, changing every ten minutes."""
    met = []
    level = AT_EASE_MET
    for minute, stage in enumerate(stages):
        if minute % 10 == 0:
            level = max(1.02, roll.gauss(AT_EASE_MET, 0.08))
        met.append(level if stage is None else ASLEEP_MET)
    return met


def _worn(plan: DayPlan, window: Window, roll: random.Random) -> list[bool]:
    """Return when the watch is on the wrist: not while it charges in the evening, nor in the one night."""
    worn = [True] * plan.day.minutes
    charging = _minute(plan, window.at(plan.day.date, roll.uniform(20.6, 21.4)))
    for minute in range(charging, min(charging + roll.randint(35, 50), len(worn))):
        worn[minute] = False
    inside = plan.night.start >= window.start and plan.night.end <= window.until
    if inside and not plan.night_recorded:
        for minute in range(_minute(plan, plan.night.end) + 25):
            worn[minute] = False
    return worn


def _potter(trace: Trace, plan: DayPlan, roll: random.Random) -> None:
    """Add the few steps of every waking hour at home or at the desk."""
    chance = 0.018 if plan.illness else 0.055
    minute = 0
    while minute < len(trace.met):
        if trace.asleep[minute] or roll.random() > chance:
            minute += 1
            continue
        for spent in range(minute, min(minute + roll.randint(1, 4), len(trace.met))):
            if not trace.asleep[spent]:
                trace.steps[spent] = float(roll.randint(18, 62))
                trace.met[spent] = POTTERING_MET
        minute += 5


def _walk(trace: Trace, plan: DayPlan, window: Window, roll: random.Random) -> None:
    for hour, usual in _usual_walks(plan):
        if roll.random() < 0.1:
            continue
        first = _minute(plan, window.at(plan.day.date, roll.gauss(hour, 0.07)))
        minutes = max(4, round(roll.gauss(usual, 0.15 * usual)))
        cadence, met = roll.gauss(107, 4), roll.gauss(3.35, 0.3)
        if first + minutes > len(trace.met) or any(trace.asleep[first : first + minutes]):
            continue
        trace.walks.append(Walk(first, minutes))
        for minute in range(first, first + minutes):
            trace.steps[minute] = float(round(roll.gauss(cadence, 3)))
            trace.met[minute] = met
            trace.exercising[minute] = met > 3.3  # Apple counts movement at or above a brisk walk
            trace.outdoors[minute] = True


def _usual_walks(plan: DayPlan) -> tuple[tuple[float, int], ...]:
    if plan.illness:
        return ()
    if plan.workday:
        return WORKDAY_WALKS
    return SATURDAY_WALKS if plan.day.date.weekday() == 5 else SUNDAY_WALKS


def _exercise(trace: Trace, plan: DayPlan, session: Session) -> None:
    """Put a workout's own minutes in place of what would have been."""
    first = _minute(plan, session.outing.start)
    distance = trace.walk_km if session.outing.sport == RUN else trace.ride_km
    for offset in range(len(session.km)):
        minute = first + offset
        trace.met[minute] = session.met[offset]
        trace.steps[minute] = float(session.steps[offset])
        trace.walk_km[minute] = 0.0
        distance[minute] = session.km[offset]
        trace.active_kcal[minute] = session.active_kcal[offset]
        trace.worn[minute] = trace.exercising[minute] = trace.outdoors[minute] = True
    trace.walks = [
        walk
        for walk in trace.walks
        if walk.minute + walk.minutes <= first or walk.minute >= first + len(session.km)
    ]


def _heart(trace: Trace, plan: DayPlan, stages: list[str | None], roll: random.Random) -> list[float]:
    """Return the beats per minute of each minute: calm level, effort that lags, and a slow wandering."""
    heart = []
    effort = wander = 0.0
    for minute, stage in enumerate(stages):
        target = max(0.0, trace.met[minute] - AT_EASE_MET) * BPM_PER_MET
        effort += (target - effort) * (HEART_RISE if target > effort else HEART_FALL)
        wander = 0.86 * wander + roll.gauss(0, 1.3)
        if stage is None:
            hour = 24 * minute / len(stages)
            calm = AWAKE_BPM + CIRCADIAN_BPM * math.sin(math.tau * (hour - 11) / 24)
        else:
            calm = STAGE_BPM[stage]
        heart.append(min(max(plan.resting_bpm + calm + effort + wander, LOWEST_BPM), HIGHEST_BPM))
    return heart


def _race(trace: Trace, plan: DayPlan, window: Window, roll: random.Random) -> None:
    first = _minute(plan, window.at(plan.day.date, RACING_FROM))
    trace.racing = range(first, first + RACING_MINUTES)
    for minute in trace.racing:
        trace.heart[minute] = roll.uniform(122, 131)

"""Today: goals, a handful of numbers, last night, workouts, what is unusual, and what is not in yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, Response, request, url_for
from sqlalchemy import Row

from appliance.domain.localday import instant, microseconds
from appliance.domain.nights import Night
from appliance.domain.sleep import SleepStage
from appliance.domain.usual import Place
from appliance.foundation.errors import NotFound
from appliance.services.glance import DayGlance, Expected, Glance
from web.frame import Visit, here, page
from web.glances import metric_url, spark_of, value_and_unit
from web.kinds import kind_of
from web.sparks import Box, Spark
from web.standing import Standing, standing
from web.units import hours_text
from web.words import ago, day_words, moment

GOALS = {
    "active_energy": "Move",
    "apple_exercise_time": "Exercise",
    "apple_stand_hour": "Stand",
}
# In a tile there is room for a short name only.
TILES = {
    "step_count": "Steps",
    "walking_running_distance": "Distance",
    "resting_heart_rate": "Resting heart rate",
    "heart_rate_variability": "Heart rate variability",
    "sleep_total": "Sleep",
    "weight_body_mass": "Weight",
    "respiratory_rate": "Breathing",
    "blood_oxygen_saturation": "Blood oxygen",
}
# Beside the tiles, what one number a day says enough of for a day to be unusual.
ALSO_WATCHED = (
    "active_energy",
    "walking_heart_rate_average",
    "apple_sleeping_wrist_temperature",
    "body_temperature",
    "vo2_max",
    "flights_climbed",
    "apple_exercise_time",
    "time_in_daylight",
    "walking_speed",
    "sleep_deep",
    "sleep_rem",
    "environmental_audio_exposure",
    "headphone_audio_exposure",
)
WATCHED = frozenset({*GOALS, *TILES, *ALSO_WATCHED})
MOST_UNUSUAL = 3
MOST_NAMED = 6
MOST_WORKOUTS = 20
_GRACE_S = 3600
_STAGES = {
    SleepStage.AWAKE: ("awake", "Awake"),
    SleepStage.REM: ("rem", "REM"),
    SleepStage.CORE: ("core", "Core"),
    SleepStage.DEEP: ("deep", "Deep"),
}


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal of the day; `done` and `ghost` (the day before) are shares of the bar, from 0 to 100."""

    name: str
    url: str
    value: str
    goal: str
    unit: str
    done: float
    ghost: float | None
    ghost_words: str
    is_reached: bool


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the day with where it stands."""

    name: str
    kind: str
    url: str
    value: str
    unit: str
    when: str
    standing: Standing | None
    spark: Spark


@dataclass(frozen=True, slots=True)
class Stage:
    """Minutes of a stage of the night, in words."""

    name: str
    token: str
    words: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stage from here to there, in shares of the strip."""

    token: str
    box: Box


@dataclass(frozen=True, slots=True)
class NightStrip:
    """The night that ended on the day."""

    url: str
    asleep: str
    begin: str
    end: str
    words: str
    stages: tuple[Stage, ...]
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class WorkoutLine:
    """One workout of the day."""

    url: str
    name: str
    at: str
    words: str


@dataclass(frozen=True, slots=True)
class Unusual:
    """A number far from what is usual."""

    name: str
    url: str
    value: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class TodayPage:
    """One day."""

    day: date
    title: str
    subtitle: str
    is_today: bool
    is_empty: bool
    earlier: str
    later: str | None
    goals: tuple[Goal, ...]
    tiles: tuple[Tile, ...]
    untold: tuple[str, ...]
    night: NightStrip | None
    workouts: tuple[WorkoutLine, ...]
    unusual: tuple[Unusual, ...]
    judged: int
    not_in: tuple[str, ...]
    more_not_in: int
    last_upload: str


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/", endpoint="today")
    def show() -> Response:
        visit = here()
        return page("today.html", _page(visit, _day(request.args.get("date"), visit.today)))


def _day(text: str | None, today: date) -> date:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return today
    return day if date(1900, 1, 2) <= day <= today else today


def _page(visit: Visit, day: date) -> TodayPage:
    is_today = day == visit.today
    last = visit.strip.last_upload_at
    until = _until(visit.now, last) if is_today else None
    seen = visit.services.glances.of_day(visit.person_id, day, WATCHED, until=until)
    later = day + timedelta(days=1)
    not_in = _not_in(visit, seen, is_today=is_today)
    words = day_words(day, visit.today)
    return TodayPage(
        day=day,
        title=words[0].upper() + words[1:],
        subtitle=f"{day:%A}, {day.day} {day:%B %Y}",
        is_today=is_today,
        is_empty=not seen.holds_anything,
        earlier=url_for("web.today", date=(day - timedelta(days=1)).isoformat()),
        later=url_for("web.today", date=None if later == visit.today else later.isoformat())
        if later <= visit.today
        else None,
        goals=tuple(_goals(visit, seen, until)),
        tiles=tuple(_tile(visit, seen.glances[key], day, until) for key in TILES if key in seen.glances),
        untold=tuple(name for key, name in TILES.items() if key not in seen.glances),
        night=_night(visit, day),
        workouts=tuple(_workouts(visit, day)),
        unusual=tuple(_unusual(visit, seen, until)),
        judged=sum(glance.band is not None and glance.value is not None for glance in seen.glances.values()),
        not_in=tuple(not_in[:MOST_NAMED]),
        more_not_in=max(len(not_in) - MOST_NAMED, 0),
        last_upload="" if last is None else f"{moment(last, visit.now)} ({ago(last, visit.now)})",
    )


def _until(now: datetime, last_upload: datetime | None) -> time:
    """Return the clock time up to which today has been told of; without an upload today, now by the quarter."""
    if last_upload is not None and last_upload.date() == now.date():
        return time(last_upload.hour, last_upload.minute)
    return time(now.hour, now.minute // 15 * 15)


def _goals(visit: Visit, seen: DayGlance, until: time | None) -> list[Goal]:
    wanted = {
        "active_energy": visit.preferences.move_goal_kcal,
        "apple_exercise_time": visit.preferences.exercise_goal_min,
        "apple_stand_hour": visit.preferences.stand_goal_h,
    }
    return [
        _goal(visit, seen.glances[key], name, float(wanted[key]), until)
        for key, name in GOALS.items()
        if key in seen.glances
    ]


def _goal(visit: Visit, glance: Glance, name: str, goal: float, until: time | None) -> Goal:
    scale = visit.scales.of(glance.metric, glance.unit)
    # The bar ends at the goal, or where today or the day before went beyond it.
    whole = max(goal, glance.value or 0.0, glance.before or 0.0, 1.0)
    unit = scale.unit or ("hours" if glance.metric == "apple_stand_hour" else "")
    before = "" if glance.before is None else f"{scale.text(glance.before)} {unit}"
    at = f" by {until:%H:%M}" if until else ""
    return Goal(
        name=name,
        url=metric_url(glance.metric),
        value=scale.text(glance.value),
        goal=scale.text(goal),
        unit=unit,
        done=round(100 * (glance.value or 0.0) / whole, 1),
        ghost=None if not glance.before else round(100 * glance.before / whole, 1),
        ghost_words=f"The day before{at}: {before}" if before else "",
        is_reached=(glance.value or 0.0) >= goal,
    )


def _tile(visit: Visit, glance: Glance, day: date, until: time | None) -> Tile:
    row = visit.catalogue.metrics[glance.metric]
    scale = visit.scales.of(glance.metric, glance.unit)
    newest = glance.newest
    value, unit = value_and_unit(newest.value if newest else None, scale)
    by_now = glance.is_sum and until is not None and row.category != "sleep"
    words = f"{TILES[glance.metric]}, the last 14 days"
    return Tile(
        name=TILES[glance.metric],
        kind=kind_of(row.category),
        url=metric_url(glance.metric),
        value=value,
        unit=unit,
        when=_when(visit, glance, day, until if by_now else None),
        standing=standing(glance.value, glance.band, scale, by_now=by_now),
        spark=spark_of(glance, words, with_band=not by_now),
    )


def _when(visit: Visit, glance: Glance, day: date, until: time | None) -> str:
    newest = glance.newest
    if newest is None:
        return "nothing yet"
    if newest.day != day:
        return day_words(newest.day, visit.today)
    if until is not None:
        return f"so far, {until:%H:%M}"
    if glance.metric == "sleep_total":
        return "last night" if day == visit.today else "that night"
    at = day_words(day, visit.today) if glance.is_sum or newest.at is None else f"{newest.at:%H:%M}"
    is_average = visit.catalogue.metrics[glance.metric].aggregate == "avg" and newest.samples > 1
    return f"average of {newest.samples}, {at}" if is_average else at


def _night(visit: Visit, day: date) -> NightStrip | None:
    try:
        night: Night = visit.services.sleep.night(visit.person_id, day)
    except NotFound:
        return None
    shown = night.shown
    main, hours = shown.main, shown.main.hours
    begin = main.sleep_start if main.sleep_start is not None else main.in_bed_start
    end = main.sleep_end if main.sleep_end is not None else main.in_bed_end
    stages = tuple(
        Stage(name, token, hours_text(told))
        for stage, (token, name) in _STAGES.items()
        if (told := getattr(hours, stage.value)) is not None
    )
    told = [each for each in main.stretches if each.stage is not SleepStage.IN_BED]
    asleep = hours_text(shown.main.hours.total)
    return NightStrip(
        url=url_for("web.sleep", night=day.isoformat()),
        asleep=asleep if hours.total is not None else hours_text(hours.in_bed),
        begin="" if begin is None else f"{instant(begin, main.start_offset):%H:%M}",
        end="" if end is None else f"{instant(end, main.offset):%H:%M}",
        words=", ".join(f"{stage.name} {stage.words}" for stage in stages) or "No stages were told.",
        stages=stages,
        stretches=_strip(told),
    )


def _strip(told: Sequence[Any]) -> tuple[Stretch, ...]:
    """Return the stages as boxes in lanes: awake on top, deep at the bottom; sleep without a stage in the middle."""
    if not told:
        return ()
    first, last = min(each.start for each in told), max(each.end for each in told)
    lanes = {SleepStage.AWAKE: 0, SleepStage.REM: 1, SleepStage.CORE: 2, SleepStage.DEEP: 3}
    return tuple(
        Stretch(
            _STAGES.get(each.stage, ("core", ""))[0],
            Box(
                round(1000 * (each.start - first) / (last - first), 2),
                lanes.get(each.stage, 2) * 10.0 + 1.0,
                max(round(1000 * (each.end - each.start) / (last - first), 2), 1.0),
                8.0,
            ),
        )
        for each in told
    )


def _workouts(visit: Visit, day: date) -> list[WorkoutLine]:
    begin = datetime.combine(day, time(), visit.person.zone)
    end = datetime.combine(day + timedelta(days=1), time(), visit.person.zone)
    found = visit.services.workouts.listed(visit.person_id, start=begin, end=end, limit=MOST_WORKOUTS)
    return [_workout(visit, row) for row in reversed(found.rows)]


def _workout(visit: Visit, row: Row[Any]) -> WorkoutLine:
    told = row.content
    shown = [
        hours_text(seconds / 3600) if (seconds := told.get("duration_s")) else "",
        *(
            visit.scales.of_unit(unit, decimals).with_unit(told[name])
            for name, unit, decimals in (("distance_km", "km", 2), ("active_energy_kcal", "kcal", 0))
            if told.get(name)
        ),
        f"{told['avg_heart_rate']:.0f} bpm on average" if told.get("avg_heart_rate") else "",
    ]
    start = instant(microseconds(row.start_at), row.utc_offset)
    name = visit.services.workouts.display_name(row.label) or told.get("name") or "Workout"
    return WorkoutLine(f"/workouts/{row.record_id}", name, f"{start:%H:%M}", " · ".join(filter(None, shown)))


def _unusual(visit: Visit, seen: DayGlance, until: time | None) -> list[Unusual]:
    found = []
    for glance in seen.unusual:
        row = visit.catalogue.metrics[glance.metric]
        scale = visit.scales.of(glance.metric, glance.unit)
        by_now = glance.is_sum and until is not None and row.category != "sleep"
        stands = standing(glance.value, glance.band, scale, by_now=by_now)
        if stands and stands.place != Place.WITHIN:
            value = " ".join(filter(None, value_and_unit(glance.value, scale)))
            found.append(Unusual(row.display_name, metric_url(glance.metric), value, stands))
    return found[:MOST_UNUSUAL]


def _not_in(visit: Visit, seen: DayGlance, *, is_today: bool) -> list[str]:
    """Return the names of what is usually told of by this time of the day and is missing."""
    clock_s = (visit.now - visit.now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()

    def is_due(expected: Expected) -> bool:
        return not is_today or expected.clock_s + _GRACE_S <= clock_s

    names: dict[str, None] = {}
    for expected in filter(is_due, seen.expected):
        row = visit.catalogue.metrics.get(expected.metric)
        # All numbers of a night come together; one word says that they did not.
        name = "Last night's sleep" if row and row.hae_name == "sleep_analysis" else None
        names[name or (row.display_name if row else expected.metric)] = None
    return list(names)

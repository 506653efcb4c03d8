"""Nights side by side: how long, how regular, and every one of them in a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, Response, request

from appliance.domain.bedtimes import (
    DAY_MIN,
    Habit,
    NightTimes,
    Regularity,
    laid_out,
    regularity,
    times_of,
)
from appliance.domain.localday import day_number
from appliance.domain.nights import Night, SourceNight
from web.frame import Visit, here, page
from web.ranges import Range, read_range
from web.units import hours_text

ROWS = 30
BALANCE_NIGHTS = 14
# Metric, word, colour of each layer of a night's bar, from the bottom up.
LAYERS = (
    ("sleep_deep", "Deep", "stage-deep"),
    ("sleep_core", "Core", "stage-core"),
    ("sleep_rem", "REM", "stage-rem"),
    ("sleep_asleep_unspecified", "Asleep, no stage told", "sleep"),
)
# Width and height of the drawing of times on each width of screen.
SIZES = {"wide": (1000, 340), "narrow": (290, 300)}
_MARGIN_MIN = 30


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the bars: a series of our API."""

    name: str
    kind: str
    address: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One night of the drawing of times: place and size in its own units, and what it says."""

    x: float
    y: float
    width: float
    height: float
    is_free: bool
    words: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across the drawing at a time of day, or a word under it."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """When the nights were, from the evening (above) to the morning; sizes in about CSS pixels. `screen` it is for."""

    screen: str
    width: int
    height: int
    bars: list[Bar]
    hours: list[Mark]
    days: list[Mark]
    usual_asleep: float | None
    usual_awake: float | None


@dataclass(frozen=True, slots=True)
class Times:
    """The drawing for each width of screen, so that its words stay readable, and what it shows in words."""

    drawings: list[Drawing]
    summary: str


@dataclass(frozen=True, slots=True)
class Row:
    """One night in the table; texts are empty where nothing was told."""

    day: date
    asleep: str
    in_bed: str
    efficiency: str
    fell_asleep: str
    woke_up: str
    deep: str
    core: str
    rem: str
    awake: str
    naps: str
    source: str


@dataclass(frozen=True, slots=True)
class OverTimePage:
    """Nights of a range."""

    span: Range
    bucket: str
    nights: int
    average: str
    asleep: str
    asleep_spread: str
    awake: str
    awake_spread: str
    shift: str
    balance: str
    balance_words: str
    goal: float
    layers: list[Layer]
    total_address: str
    times: Times | None
    rows: list[Row]
    page_number: int
    pages: int


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/sleep/over-time", endpoint="sleep_over_time")
    def show() -> Response:
        visit = here()
        span = read_range(request.args, visit.today, otherwise="m", earliest=_earliest(visit))
        held = visit.services.sleep.nights(
            visit.person_id, first=span.first, last=span.last, limit=max(span.days, 1)
        )
        return page("sleep_over_time.html", _page(visit, span, held.nights))


def _earliest(visit: Visit) -> date | None:
    if request.args.get("range") != "all":
        return None
    held = {each.held.metric: each for each in visit.services.lookup.metrics(visit.person_id)}
    total = held.get("sleep_total") or held.get("sleep_in_bed")
    return total.held.first_at.astimezone(visit.person.zone).date() if total else None


def _page(visit: Visit, span: Range, nights: Sequence[Night]) -> OverTimePage:
    shown = [night.shown for night in nights]
    slept = [night.hours.total for night in shown if night.hours.total is not None]
    times = [told for night in reversed(shown) if (told := times_of(night))]
    habits = regularity(times)
    held = {each.held.metric for each in visit.services.lookup.metrics(visit.person_id)}
    bucket = "day" if span.bucket == "hour" else span.bucket
    query = f"bucket={bucket}&{span.api_query}"
    pages = max((len(shown) + ROWS - 1) // ROWS, 1)
    number = _number(request.args.get("page"), pages)
    goal = visit.preferences.sleep_goal_h
    balance, balance_words = _balance(visit, goal)
    return OverTimePage(
        span=span,
        bucket=bucket,
        nights=len(shown),
        average=hours_text(sum(slept) / len(slept)) if slept else "–",
        asleep=_clock_of(habits.asleep),
        asleep_spread=_spread(habits.asleep),
        awake=_clock_of(habits.awake),
        awake_spread=_spread(habits.awake),
        shift=_shift(habits),
        balance=balance,
        balance_words=balance_words,
        goal=goal,
        layers=[
            Layer(name, kind, f"/api/v1/metrics/{metric}/series?{query}")
            for metric, name, kind in LAYERS
            if metric in held
        ],
        total_address=f"/api/v1/metrics/sleep_total/series?bucket=day&{span.api_query}"
        if "sleep_total" in held
        else "",
        times=Times(
            [
                _drawing(times, habits, span, screen, labels)
                for screen, labels in (("wide", 9), ("narrow", 4))
            ],
            _summary(len(times), habits),
        )
        if times
        else None,
        rows=[_row(night) for night in shown[(number - 1) * ROWS : number * ROWS]],
        page_number=number,
        pages=pages,
    )


def _balance(visit: Visit, goal: float) -> tuple[str, str]:
    """Return what the last two weeks' sleep is more or less than the goal, over the nights that were told."""
    first = visit.today - timedelta(days=BALANCE_NIGHTS - 1)
    nights = visit.services.sleep.nights(
        visit.person_id, first=first, last=visit.today, limit=BALANCE_NIGHTS
    ).nights
    slept = [night.shown.hours.total for night in nights if night.shown.hours.total is not None]
    if not slept:
        return "–", ""
    difference = sum(slept) - goal * len(slept)
    word = "over" if difference >= 0 else "under"
    told = "1 night" if len(slept) == 1 else f"{len(slept)} nights"
    return (
        f"{hours_text(abs(difference))} {word}",
        f"{told} of the last {BALANCE_NIGHTS} against {goal:g} h each",
    )


def _row(night: SourceNight) -> Row:
    session = night.main
    hours = night.hours
    times = times_of(night)
    return Row(
        day=_date(night.day),
        asleep=hours_text(hours.total),
        in_bed=hours_text(session.in_bed_hours),
        efficiency="–" if night.efficiency is None else f"{night.efficiency:.0f} %",
        fell_asleep=_clock(times.begin) if times else "–",
        woke_up=_clock(times.end) if times else "–",
        deep=hours_text(hours.deep),
        core=hours_text(hours.core),
        rem=hours_text(hours.rem),
        awake=hours_text(hours.awake),
        naps=hours_text(sum(nap.slept for nap in night.naps)) if night.naps else "–",
        source=night.source,
    )


def _drawing(
    nights: Sequence[NightTimes], habits: Regularity, span: Range, screen: str, labels: int
) -> Drawing:
    """Lay the nights out as floating bars, one column a day of the range."""
    width, height = SIZES[screen]
    placed = laid_out(nights)
    top = (min(begin for begin, _ in placed) - _MARGIN_MIN) // 60 * 60
    bottom = -(-(max(end for _, end in placed) + _MARGIN_MIN) // 60) * 60
    first, last = day_number(span.first), day_number(span.last)
    columns = last - first + 1
    column, scale = width / columns, height / (bottom - top)
    bars = [
        Bar(
            x=round((night.day - first + 0.15) * column, 2),
            y=round((begin - top) * scale, 2),
            width=round(max(column * 0.7, 1), 2),
            height=round(max((end - begin) * scale, 1), 2),
            is_free=night.is_free,
            words=f"{_date(night.day):%a %d %b}: {_clock(night.begin)} – {_clock(night.end)}",
        )
        for night, (begin, end) in zip(nights, placed, strict=True)
    ]
    step = 120 if bottom - top <= DAY_MIN else 240
    each = max(round(columns / labels), 1)
    return Drawing(
        screen=screen,
        width=width,
        height=height,
        bars=bars,
        hours=[
            Mark(round((minute - top) * scale, 2), _clock(minute))
            for minute in range(int(-(-top // step) * step), int(bottom) + 1, step)
        ],
        days=[
            Mark(round((n + 0.5) * column, 2), _short(_date(first + n)))
            for n in range(each // 2, columns, each)
        ],
        usual_asleep=_line(habits.asleep, top, bottom, scale),
        usual_awake=_line(habits.awake, top, bottom, scale),
    )


def _line(habit: Habit | None, top: float, bottom: float, scale: float) -> float | None:
    if habit is None:
        return None
    at = top + (habit.mean - top) % DAY_MIN
    return round((at - top) * scale, 2) if at <= bottom else None


def _summary(count: int, habits: Regularity) -> str:
    told = f"{count} nights on the clock."
    if habits.asleep:
        told += f" Usually asleep at {_clock(habits.asleep.mean)}, {_spread(habits.asleep)}."
    if habits.awake:
        told += f" Usually awake at {_clock(habits.awake.mean)}, {_spread(habits.awake)}."
    return told


def _shift(habits: Regularity) -> str:
    if habits.shift is None:
        return "–"
    minutes = round(abs(habits.shift))
    if minutes < 1:
        return "the same"
    return f"{hours_text(minutes / 60)} {'later' if habits.shift > 0 else 'earlier'}"


def _clock_of(habit: Habit | None) -> str:
    return _clock(habit.mean) if habit else "–"


def _spread(habit: Habit | None) -> str:
    return f"± {hours_text(habit.deviation / 60)}" if habit else "no usual time"


def _clock(minutes: float) -> str:
    # As clocks show it: a minute that has begun. The little more undoes what adding up took away.
    whole = math.floor(minutes + 1e-3) % DAY_MIN
    return f"{whole // 60:02}:{whole % 60:02}"


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"


def _number(text: str | None, last: int) -> int:
    return min(max(int(text), 1), last) if text and text.isascii() and text.isdigit() and len(text) < 6 else 1

"""One night: its stages on the clock, its figures against the person's own nights, and who told it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from appliance.domain.localday import instant
from appliance.domain.nights import Night, SourceNight
from appliance.domain.sleep import (
    LENGTH_DISAGREES,
    NO_TIMES,
    OVER_14_HOURS,
    SLEEPING,
    Session,
    SleepStage,
)
from appliance.domain.usual import DAYS, Band, Place, usual
from appliance.services.lookup import MetricSummary
from appliance.services.sleep import FIRST_DAY, LAST_DAY
from web.frame import Visit, here, page
from web.pages import sleep_over_time
from web.units import Scale, hours_text

# Key of the hours, word, class of the mark. Deepest first, as the bars over time are stacked.
STAGES = (
    ("deep", "Deep", "stage-deep"),
    ("core", "Core", "stage-core"),
    ("rem", "REM", "stage-rem"),
    ("asleep", "Asleep, no stage told", "stage-core"),
    ("awake", "Awake", "stage-awake"),
)
# Curves under the night, on its clock: metric, word, colour.
CURVES = (
    ("heart_rate", "Heart rate", "heart"),
    ("respiratory_rate", "Breathing", "breath"),
    ("blood_oxygen_saturation", "Oxygen", "breath"),
    ("apple_sleeping_wrist_temperature", "Wrist temperature", "body"),
)
ROUND_THE_NIGHT = timedelta(minutes=10)
MOST_READINGS = 5000

FLAGS = {
    OVER_14_HOURS: "More than 14 hours of sleep were told, which is hardly one night.",
    NO_TIMES: "No times were told, only how long; so it cannot be drawn on the clock.",
    LENGTH_DISAGREES: "The phone told a length that does not fit its own times; the times are believed.",
}
_GENERATIONS = {
    0: "stage by stage",
    1: "summed up, in the form before sleep stages",
    2: "summed up by stages",
    3: "summed up by stages, in the newest form",
}
_PLACES = {
    Place.BELOW: "below your usual",
    Place.WITHIN: "within your usual",
    Place.ABOVE: "above your usual",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with what is usual, in words; `usual` is empty while too few nights are known."""

    name: str
    value: str
    usual: str = ""


@dataclass(frozen=True, slots=True)
class StageLine:
    """One stage: how long, which share of the sleep, and on a scale from 0 to 100 the bar and the usual band."""

    name: str
    mark: str
    hours: str
    share: str
    usual: str
    words: str
    length: float
    band_start: float | None
    band_length: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Readings drawn under the night."""

    name: str
    kind: str
    address: str
    scale: Scale


@dataclass(frozen=True, slots=True)
class Nap:
    """Another sleep of the same day; `times` is empty where none were told."""

    times: str
    hours: str


@dataclass(frozen=True, slots=True)
class SourceLine:
    """What one source tells of the night."""

    name: str
    is_shown: bool
    figures: str
    told_as: str
    notes: list[str]
    upload_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NightView:
    """One night as it is shown."""

    asleep: str
    is_only_bed: bool
    asleep_usual: str
    figures: list[Figure]
    stages: list[StageLine]
    stages_note: str
    vitals: list[Figure]
    curves: list[Curve]
    has_times: bool
    naps: list[Nap]
    together: str
    why: str
    sources: list[SourceLine]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class SleepPage:
    """The page of one night. `night` is None where none is held of the day; `nearest` is then the one before."""

    day: date
    earlier: date
    later: date | None
    latest: date
    night: NightView | None
    nearest: date | None


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/sleep", endpoint="sleep")
    def show() -> Response:
        visit = here()
        asked = _day(request.args.get("night"))
        last = min(asked, visit.today) if asked else visit.today
        nights = visit.services.sleep.nights(
            visit.person_id, first=last - timedelta(days=DAYS + 7), last=last, limit=DAYS + 8
        ).nights
        if not nights:
            nights = visit.services.sleep.nights(visit.person_id, first=None, last=last, limit=1).nights
        newest = _date(nights[0].day) if nights else None
        day = last if asked or newest is None else newest
        return page("sleep.html", _page(visit, day, nights, newest))

    sleep_over_time.add_pages(pages)


def _page(visit: Visit, day: date, nights: Sequence[Night], newest: date | None) -> SleepPage:
    shown = nights[0] if nights and newest == day else None
    return SleepPage(
        day=day,
        earlier=day - timedelta(days=1),
        later=day + timedelta(days=1) if day < visit.today else None,
        latest=visit.today,
        night=_view(visit, shown, _before(nights[1:], day)) if shown else None,
        nearest=None if shown else newest,
    )


def _before(nights: Iterable[Night], day: date) -> list[SourceNight]:
    return [night.shown for night in nights if _date(night.day) >= day - timedelta(days=DAYS)]


def _view(visit: Visit, night: Night, before: Sequence[SourceNight]) -> NightView:
    shown = night.shown
    session = shown.main
    metrics = {each.held.metric: each for each in visit.services.lookup.metrics(visit.person_id)}
    mains = [source.main for source in before]
    asleep = _band(main.hours.total for main in mains)
    total = session.hours.total
    return NightView(
        asleep=hours_text(total if total is not None else session.hours.in_bed),
        is_only_bed=total is None,
        asleep_usual=_against(total, asleep),
        figures=_figures(shown, before),
        stages=_stages(session, mains),
        stages_note=f"Usual is the middle of your {asleep.days} nights before this one, and how far most lie from it."
        if asleep
        else "What is usual for you shows once seven nights before this one are known.",
        vitals=_vitals(visit, session, metrics),
        curves=_curves(session, metrics, visit),
        has_times=session.window is not None,
        naps=[Nap(_times(nap), hours_text(nap.hours.total or nap.hours.in_bed)) for nap in shown.naps],
        together=hours_text(shown.hours.total),
        why=night.why,
        sources=[_source_line(source, is_shown=source is shown) for source in night.sources],
        notes=[FLAGS.get(flag, flag.replace("_", " ").capitalize()) for flag in shown.flags],
    )


def _figures(shown: SourceNight, before: Sequence[SourceNight]) -> list[Figure]:
    session = shown.main
    mains = [source.main for source in before]
    in_bed = session.in_bed_hours
    figures = [Figure("In bed", hours_text(in_bed), _usually(_band(main.in_bed_hours for main in mains)))]
    if shown.efficiency is not None:
        band = usual([source.efficiency for source in before if source.efficiency is not None])
        usually = f"usually {band.low:.0f} – {min(band.high, 100):.0f} %" if band else ""
        figures.append(Figure("Efficiency", f"{shown.efficiency:.0f} %", usually))
    if session.hours.awake is not None:
        wakings = _wakings(session)
        times = f", {wakings} times" if wakings > 1 else ", once" if wakings else ""
        usually = _usually(_band(main.hours.awake for main in mains))
        figures.append(Figure("Awake", hours_text(session.hours.awake) + times, usually))
    if session.sleep_start is not None:
        figures.append(Figure("Fell asleep", _clock(session.sleep_start, session.start_offset)))
    if session.sleep_end is not None:
        figures.append(Figure("Woke up", _clock(session.sleep_end, session.offset)))
    return [figure for figure in figures if figure.value != "–"]


def _wakings(session: Session) -> int:
    """Return how often somebody was awake between falling asleep and waking up for good."""
    asleep = [stretch for stretch in session.stretches if stretch.stage in SLEEPING]
    if not asleep:
        return 0
    first, last = asleep[0].start, max(stretch.end for stretch in asleep)
    return sum(
        stretch.stage is SleepStage.AWAKE and first < stretch.start and stretch.end < last
        for stretch in session.stretches
    )


def _stages(session: Session, before: Sequence[Session]) -> list[StageLine]:
    told = session.hours.as_dict()
    rows = [
        (key, name, mark, hours, _band(main.hours.as_dict()[key] for main in before))
        for key, name, mark in STAGES
        if (hours := told[key]) is not None and (hours or key != "asleep")
    ]
    longest = max((max(hours * 60, band.high if band else 0) for *_, hours, band in rows), default=0) or 1
    return [
        StageLine(
            name=name,
            mark=mark,
            hours=hours_text(hours),
            share=f"{100 * hours / session.hours.total:.0f} %"
            if key != "awake" and session.hours.total
            else "",
            usual=_range(band) if band else "",
            words=_PLACES[band.place(hours * 60, 0)] if band else "",
            length=round(100 * hours * 60 / longest, 2),
            band_start=round(100 * max(band.low, 0) / longest, 2) if band else None,
            band_length=round(100 * (band.high - max(band.low, 0)) / longest, 2) if band else 0,
        )
        for key, name, mark, hours, band in rows
    ]


def _vitals(visit: Visit, session: Session, metrics: Mapping[str, MetricSummary]) -> list[Figure]:
    """Return average and reach of what was measured in the night; several devices' readings are never mixed."""
    if session.window is None:
        return []
    begin, end = (instant(at, session.offset) for at in session.window)
    figures = []
    for metric, name, _ in CURVES:
        if metric not in metrics:
            continue
        rows = visit.services.lookup.samples(
            visit.person_id, metric, start=begin, end=end, after=None, limit=MOST_READINGS
        ).rows
        told: dict[str, list[float]] = defaultdict(list)
        for row in rows:
            if row.value is not None:
                told[row.source].append(row.value)
        if not told:
            continue
        values = max(told.values(), key=len)
        scale = visit.scales.of(metric, metrics[metric].held.unit)
        reach = f"{scale.text(min(values))} – {scale.text(max(values))}" if len(values) > 1 else "one reading"
        figures.append(Figure(name, scale.with_unit(sum(values) / len(values)), reach))
    return figures


def _curves(session: Session, metrics: Mapping[str, MetricSummary], visit: Visit) -> list[Curve]:
    told = [
        at
        for at in (session.sleep_start, session.in_bed_start, session.sleep_end, session.in_bed_end)
        if at is not None
    ]
    if session.window is None:
        return []
    first = instant(min(told), session.start_offset) - ROUND_THE_NIGHT
    last = instant(max(told), session.offset) + ROUND_THE_NIGHT
    window = urlencode({"start": first.isoformat(), "end": last.isoformat(), "limit": MOST_READINGS})
    return [
        Curve(
            name,
            kind,
            f"/api/v1/metrics/{metric}/samples?{window}",
            visit.scales.of(metric, metrics[metric].held.unit),
        )
        for metric, name, kind in CURVES
        if metric in metrics
    ]


def _source_line(source: SourceNight, *, is_shown: bool) -> SourceLine:
    session = source.main
    figures = [
        f"{hours_text(session.hours.total)} asleep" if session.hours.total is not None else "",
        f"{hours_text(session.in_bed_hours)} in bed" if session.in_bed_hours else "",
        _times(session),
    ]
    return SourceLine(
        name=source.source,
        is_shown=is_shown,
        figures=", ".join(filter(None, figures)),
        told_as=_GENERATIONS.get(session.generation, "summed up"),
        notes=[FLAGS.get(flag, flag.replace("_", " ").capitalize()) for flag in source.flags],
        upload_ids=source.upload_ids,
    )


def _times(session: Session) -> str:
    if session.window is None:
        return ""
    begin, end = session.window
    return f"{_clock(begin, session.start_offset)} – {_clock(end, session.offset)}"


def _clock(at: int, offset: int) -> str:
    return f"{instant(at, offset):%H:%M}"


def _band(hours: Iterable[float | None]) -> Band | None:
    """Return what is usual, in minutes; nights that do not tell it are left out."""
    return usual([60 * each for each in hours if each is not None])


def _range(band: Band) -> str:
    return f"{hours_text(max(band.low, 0) / 60)} – {hours_text(band.high / 60)}"


def _usually(band: Band | None) -> str:
    return f"usually {_range(band)}" if band else ""


def _against(hours: float | None, band: Band | None) -> str:
    if hours is None or band is None:
        return ""
    return f"{_PLACES[band.place(60 * hours, 0)]} {_range(band)}"


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def _day(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if FIRST_DAY <= day <= LAST_DAY else None

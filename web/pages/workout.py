"""One workout: figures, the way it went, curves along its time, splits, zones, and everything else that was told."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Response
from sqlalchemy import Row

from appliance.domain.localday import instant, microseconds
from appliance.domain.way import (
    Place,
    Split,
    Step,
    average_between,
    length_of,
    splits_of,
    way_of_distances,
    way_of_places,
)
from appliance.domain.workouts import speed_km_h
from appliance.domain.zones import zones_of
from appliance.services.workouts import Workout
from web.frame import Visit, here, page
from web.paces import PACED, Paces, clock_text
from web.pages.workout_curves import Curve, Tracks, curves_of

DISTANCES = (
    "walking_running_distance",
    "cycling_distance",
    "wheelchair_distance",
    "distance_rowing",
    "distance_cross_country_skiing",
    "distance_skating_sports",
    "distance_paddle_sports",
)
# More splits than this are read by nobody; they are five times as long then.
MOST_SPLITS = 30
ROUTE, HEART_RATE = "route", "heart_rate"
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_FLAGS = {
    "version_1": "Sent in the older export form, which tells less. Choose “Version 2” in the automation.",
    "end_missing": "The phone told no end.",
    "end_derived": "The phone told no end; it is the start and the active time, so pauses are missing.",
    "very_long": "It lasted more than a day, as when nobody pressed stop.",
    "speed_unit_km": "The phone wrote speeds in km; they are taken as km/h.",
    "energy_label_swapped": "kJ and kcal were swapped by the phone; the numbers prove it, and it is mended here.",
    "route_missing": "The export lacks the file of its route, or the file cannot be read.",
    "route_incomplete": "Some points of its route could not be read and are missing.",
    "heart_rate_is_recovery": "The heart rate told was measured after the end; it is shown as recovery.",
}
_FLAG_KINDS = {
    "unreadable": "“{}” could not be read and is kept as it came.",
    "implausible": "“{}” was outside of what is possible and is kept as it came.",
    "unknown_unit": "“{}” came in a unit we do not know and is kept as it came.",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One split. `length` is its speed as a share of the fastest, 0 to 100; `note` what is odd about it."""

    name: str
    time: str
    pace: str
    heart_rate: str
    climb: str
    length: float
    is_partial: bool
    note: str


@dataclass(frozen=True, slots=True)
class Splits:
    """All splits. `told_by` says where the way was read from."""

    title: str
    rows: list[SplitRow]
    told_by: str
    has_heart_rate: bool
    has_climb: bool


@dataclass(frozen=True, slots=True)
class ZoneRow:
    """Time in one zone; `length` from 0 to 100 of the longest, `share` of all measured time."""

    number: int
    name: str
    rates: str
    time: str
    share: str
    length: float


@dataclass(frozen=True, slots=True)
class Zones:
    """Time in zones, and what they are reckoned from."""

    rows: list[ZoneRow]
    highest: int
    measured: str
    above: str


@dataclass(frozen=True, slots=True)
class Revision:
    """An earlier version: what it said otherwise, and the uploads."""

    replaced_at: datetime
    changes: list[str]
    upload_id: int
    replaced_by: int


@dataclass(frozen=True, slots=True)
class WorkoutPage:
    """One workout as it is shown."""

    workout_id: int
    name: str
    type_name: str
    start: datetime
    end: datetime | None
    place: str
    figures: list[Figure]
    notes: list[str]
    has_route: bool
    colour_by: str
    unit: str
    curves: list[Curve]
    more_curves: list[Curve]
    splits: Splits | None
    zones: Zones | None
    has_curves: bool
    source: str
    upload_id: int
    revisions: list[Revision]
    more: str


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/workouts/<int:workout_id>", endpoint="workouts_one")
    def show(workout_id: int) -> Response:
        visit = here()
        found = visit.services.workouts.find(visit.person_id, workout_id)
        tracks = visit.services.workouts.tracks(visit.person_id, workout_id)
        return page("workout.html", _page(visit, found, tracks))

    @pages.get("/workouts/<int:workout_id>/curves.csv", endpoint="workouts_curves")
    def curves(workout_id: int) -> Response:
        visit = here()
        found = visit.services.workouts.find(visit.person_id, workout_id)
        tracks = visit.services.workouts.tracks(visit.person_id, workout_id)
        return Response(
            _csv(tracks, found.row.utc_offset),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="workout-{workout_id}.csv"'},
        )


def _page(visit: Visit, found: Workout, tracks: Tracks) -> WorkoutPage:
    row = found.row
    content: Mapping[str, Any] = row.content
    type_name = visit.services.workouts.display_name(row.label) or "Other workout"
    paces = Paces(visit.preferences.units)
    first, more = curves_of(visit, row.record_id, tracks)
    start, end = instant(microseconds(row.start_at), row.utc_offset), None
    if row.end_at is not None:
        end = instant(microseconds(row.end_at), row.utc_offset)
    told = content.get("more")
    return WorkoutPage(
        workout_id=row.record_id,
        name=content.get("name") or type_name,
        type_name=type_name,
        start=start,
        end=end,
        place=_place(content),
        figures=_figures(visit, paces, row, start, end),
        notes=[_flag_words(flag) for flag in row.flags],
        has_route=ROUTE in tracks,
        colour_by="pace" if row.label in PACED else "speed",
        unit=paces.unit,
        curves=first,
        more_curves=more,
        splits=_splits(paces, row.label, tracks),
        zones=_zones(tracks, visit.preferences.max_heart_rate, row),
        has_curves=bool(tracks),
        source=row.source,
        upload_id=row.upload_id,
        revisions=[_revision(visit, old, content) for old in found.revisions],
        more=json.dumps(told, ensure_ascii=False, indent=2) if told else "",
    )


def _place(content: Mapping[str, Any]) -> str:
    if content.get("is_indoor") is not None:
        return "Indoors" if content["is_indoor"] else "Outdoors"
    return str(content.get("location") or "")


def _figures(
    visit: Visit, paces: Paces, row: Row[Any], start: datetime, end: datetime | None
) -> list[Figure]:
    content: Mapping[str, Any] = row.content
    whole = None if end is None else (end - start).total_seconds()
    active = content.get("duration_s")
    seconds = active if active is not None else whole
    km = content.get("distance_km")

    def amount(name: str, metric: str, unit: str) -> str:
        return visit.scales.of(metric, unit).with_unit(content.get(name))

    def plain(name: str, unit: str, decimals: int) -> str:
        return visit.scales.of_unit(unit, decimals).with_unit(content.get(name))

    figures = [
        Figure("Active time" if active is not None else "Time", clock_text(seconds)),
        Figure("With pauses", clock_text(whole) if active and whole and whole - active >= 1 else "–"),
        Figure("Distance", paces.distance(row.label, km)),
        Figure(f"Average {paces.word(row.label).lower()}", paces.text(row.label, speed_km_h(km, seconds))),
        Figure("Best speed", plain("max_speed_km_hr", "km/hr", 1)),
        Figure("Active energy", amount("active_energy_kcal", "active_energy", "kcal")),
        Figure("Total energy", amount("total_energy_kcal", "active_energy", "kcal")),
        Figure("Average heart rate", amount("avg_heart_rate", "heart_rate", "count/min")),
        Figure("Highest heart rate", amount("max_heart_rate", "heart_rate", "count/min")),
        Figure("Height gained", plain("elevation_up_m", "m", 0)),
        Figure("Height lost", plain("elevation_down_m", "m", 0)),
        Figure("Steps", amount("step_count", "step_count", "count")),
        Figure("Cadence", plain("step_cadence", "count/min", 0)),
        Figure("Flights climbed", plain("flights_climbed", "count", 0)),
        Figure("Strokes", plain("swim_strokes", "count", 0)),
        Figure("Stroke rate", plain("swim_cadence", "count/min", 0)),
        Figure("SWOLF", plain("swolf", "", 0)),
        Figure("Lap length", plain("lap_length_m", "m", 0)),
        Figure("Stroke", str(content.get("stroke_style") or "–")),
        Figure("Water", str(content.get("salinity") or "–")),
        Figure("Effort", plain("intensity", "kcal/hr·kg", 1)),
        Figure("Air temperature", plain("temperature_degC", "degC", 0)),
        Figure("Humidity", plain("humidity_percent", "%", 0)),
    ]
    return [figure for figure in figures if figure.value != "–"]


def _splits(paces: Paces, label: str, tracks: Tracks) -> Splits | None:
    way, told_by = _way(tracks)
    length = paces.unit_m
    if length_of(way) < length:
        return None
    several = 5 if length_of(way) > MOST_SPLITS * length else 1
    splits = splits_of(way, several * length)
    fastest = max((split.metres / split.seconds for split in splits if split.seconds), default=0) or 1
    rows = [_split_row(paces, label, tracks, split, several, fastest) for split in splits]
    return Splits(
        title=f"Splits by {several if several > 1 else ''} {paces.unit}".replace("  ", " "),
        rows=rows,
        told_by=told_by.format(paces.distance("", length_of(way) / 1000)),
        has_heart_rate=any(row.heart_rate != "–" for row in rows),
        has_climb=any(row.climb != "–" for row in rows),
    )


def _way(tracks: Tracks) -> tuple[list[Step], str]:
    route = tracks.get(ROUTE)
    if route is not None:
        unsure = route.channels.get("horizontal_accuracy") or [None] * len(route.at)
        columns = (route.at, route.channels["latitude"], route.channels["longitude"], unsure)
        told_by = (
            "Measured along the route, {} in all, which may differ a little from the distance the watch told."
        )
        return way_of_places(Place(*place) for place in zip(*columns, strict=True)), told_by
    for name in DISTANCES:
        if name in tracks:
            metres = [None if km is None else 1000 * km for km in tracks[name].channels.get("value", [])]
            return (
                way_of_distances(tracks[name].at, metres),
                "Reckoned from the distance told minute by minute, {} in all.",
            )
    return [], ""


def _split_row(
    paces: Paces, label: str, tracks: Tracks, split: Split, several: int, fastest: float
) -> SplitRow:
    heart_rate = None
    if HEART_RATE in tracks:
        curve = tracks[HEART_RATE]
        values = curve.channels.get("value") or [None] * len(curve.at)
        heart_rate = average_between(curve.at, values, split.begin, split.end)
    speed = split.metres / split.seconds if split.seconds else 0
    notes = [
        f"paused {clock_text(split.paused)}" if split.paused >= 1 else "",
        "signal lost for a while" if split.has_gap else "",
    ]
    return SplitRow(
        name=f"{split.metres / paces.unit_m:.2f} {paces.unit}"
        if split.is_partial
        else str(split.number * several),
        time=clock_text(split.seconds),
        pace=paces.text(label, speed * 3.6),
        heart_rate="–" if heart_rate is None else f"{heart_rate:.0f}",
        climb=_climb(paces, tracks, split),
        length=round(100 * speed / fastest, 1),
        is_partial=split.is_partial,
        note=", ".join(filter(None, notes)),
    )


def _climb(paces: Paces, tracks: Tracks, split: Split) -> str:
    """Return how much higher a split ended than it began; ups and downs within it are not told apart."""
    route = tracks.get(ROUTE)
    heights = route.channels.get("altitude") if route else None
    if route is None or not heights:
        return "–"
    told = [
        height
        for at, height in zip(route.at, heights, strict=True)
        if split.begin <= at <= split.end and height is not None
    ]
    if len(told) < 2:
        return "–"
    metres = told[-1] - told[0]
    return f"{metres / 0.3048:+,.0f} ft" if paces.is_imperial else f"{metres:+,.0f} m"


def _zones(tracks: Tracks, highest: int, row: Row[Any]) -> Zones | None:
    if HEART_RATE not in tracks or highest <= 0:
        return None
    curve = tracks[HEART_RATE]
    values = curve.channels.get("value") or [None] * len(curve.at)
    end = None if row.end_at is None else microseconds(row.end_at)
    zones = zones_of(curve.at, values, highest, end)
    measured = sum(zone.seconds for zone in zones)
    if not measured:
        return None
    longest = max(zone.seconds for zone in zones)
    reached = max((value for value in curve.channels.get("max") or values if value is not None), default=0)
    return Zones(
        rows=[
            ZoneRow(
                number=zone.number,
                name=zone.name,
                rates=_rates(zone.low, zone.high),
                time=clock_text(zone.seconds),
                share=f"{100 * zone.seconds / measured:.0f} %",
                length=round(100 * zone.seconds / longest, 1),
            )
            for zone in reversed(zones)
        ],
        highest=highest,
        measured=clock_text(measured),
        above=f"{reached:.0f}" if round(reached) > highest else "",
    )


def _rates(low: float, high: float | None) -> str:
    if high is None:
        return f"{low:.0f} bpm and more"
    return f"under {high:.0f} bpm" if not low else f"{low:.0f} – {high:.0f} bpm"


def _revision(visit: Visit, old: Row[Any], now: Mapping[str, Any]) -> Revision:
    before: Mapping[str, Any] = old.content
    changed = [
        f"{name.replace('_', ' ')}: {_short(before.get(name))}, now {_short(now.get(name))}"
        for name in sorted({*before, *now} - {"more"})
        if before.get(name) != now.get(name)
    ]
    replaced_at = old.replaced_at.astimezone(visit.person.zone)
    return Revision(replaced_at, changed, old.upload_id, old.replaced_by)


def _short(told: Any) -> str:
    if told is None:
        return "not told"
    return f"{told:g}" if isinstance(told, float) else str(told)[:80]


def _flag_words(flag: str) -> str:
    kind, _, name = flag.partition(":")
    if name and kind in _FLAG_KINDS:
        return _FLAG_KINDS[kind].format(name)
    return _FLAGS.get(flag, flag.replace("_", " ").capitalize())


def _csv(tracks: Tracks, offset_s: int) -> str:
    """Return every point of every curve, one number a line (RFC 4180)."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(["time", "curve", "channel", "value", "unit"])
    for track in tracks.values():
        name, times = _cell(track.name), [instant(at, offset_s).isoformat() for at in track.at]
        for channel, values in track.channels.items():
            unit = track.units.get(channel, "")
            lines.writerows(
                [at, name, channel, value, unit]
                for at, value in zip(times, values, strict=True)
                if value is not None
            )
    return text.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text

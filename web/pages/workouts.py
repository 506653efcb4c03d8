"""Workouts: the list with filters, what it adds up to, hours by week, and the best ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from appliance.domain.preferences import Units
from appliance.domain.workouts import (
    Bests,
    Line,
    Wanted,
    bests_of,
    hours_by_week,
    labels_by_time,
    totals_of,
)
from web.frame import Visit, here, page
from web.paces import KM_PER_MILE, Paces
from web.pages import workout
from web.ranges import Range, read_range
from web.units import hours_text

ROWS = 25
# Colours of the types that took most time; all others share one.
KINDS = ("activity", "breath", "body", "mind")
LONGEST_TEXT = 100
MOST_MINUTES = 100_000


@dataclass(frozen=True, slots=True)
class Choice:
    """A type of workout to filter by."""

    label: str
    name: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One workout in the list; texts are “–” where nothing was told."""

    workout_id: int
    name: str
    type_name: str
    start: str
    day: date
    length: str
    distance: str
    pace: str
    pace_word: str
    heart_rate: str
    energy: str
    source: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One type of workout in the bars by week."""

    name: str
    kind: str
    address: str


@dataclass(frozen=True, slots=True)
class Best:
    """One best: what it is called, its number, when, and which workout it was."""

    word: str
    value: str
    day: date
    workout_id: int


@dataclass(frozen=True, slots=True)
class TypeBests:
    """The bests of one type of workout."""

    name: str
    count: int
    bests: list[Best]


@dataclass(frozen=True, slots=True)
class WorkoutsPage:
    """The list. `kept` is the filter as it stands in the address, beside the range."""

    span: Range
    is_filtered: bool
    kept: dict[str, str]
    span_fields: dict[str, str]
    types: list[Choice]
    unit: str
    any_held: bool
    count: int
    length: str
    distance: str
    energy: str
    layers: list[Layer]
    rows: list[Row]
    page_number: int
    pages: int
    bests: list[TypeBests]


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/workouts", endpoint="workouts")
    def show() -> Response:
        visit = here()
        lines = visit.services.workouts.lines(visit.person_id)
        span = read_range(
            request.args, visit.today, otherwise="3m", earliest=lines[-1].day if lines else None
        )
        return page("workouts.html", _page(visit, lines, span))

    @pages.get("/workouts/weeks", endpoint="workouts_weeks")
    def weeks() -> Response:
        # Only the bars of this very page ask for it; the numbers are those of its list.
        visit = here()
        lines = visit.services.workouts.lines(visit.person_id)
        span = read_range(request.args, visit.today, otherwise="3m")
        wanted, _ = _wanted(span, visit.preferences.units)
        found = [line for line in lines if wanted.takes(line, name_of_type(visit, line.label))]
        only, without = request.args.get("only"), set(request.args.getlist("without"))
        own = [line for line in found if (line.label == only if only else line.label not in without)]
        # Weeks before the first workout of all are no weeks without workouts: nothing was told of them.
        first = max(span.first, lines[-1].day) if lines else span.first
        hours = hours_by_week(own, first, span.last)
        return jsonify([{"start": monday.isoformat(), "value": value} for monday, value in hours])

    workout.add_pages(pages)


def name_of_type(visit: Visit, label: str) -> str:
    """Return a type of workout as it is shown."""
    return visit.services.workouts.display_name(label) or "Other workout"


def _page(visit: Visit, lines: Sequence[Line], span: Range) -> WorkoutsPage:
    wanted, kept = _wanted(span, visit.preferences.units)
    names = {label: name_of_type(visit, label) for label in labels_by_time(lines)}
    found = [line for line in lines if wanted.takes(line, names[line.label])]
    totals = totals_of(found)
    paces = Paces(visit.preferences.units)
    pages = max(math.ceil(len(found) / ROWS), 1)
    number = _number(request.args.get("page"), pages)
    return WorkoutsPage(
        span=span,
        is_filtered=bool(kept),
        kept=kept,
        span_fields=span_fields(span),
        types=[
            Choice(label, name, label == wanted.label)
            for label, name in sorted(names.items(), key=lambda each: each[1])
        ],
        unit=paces.unit,
        any_held=bool(lines),
        count=totals.count,
        length=hours_text(totals.seconds / 3600) if totals.seconds is not None else "–",
        distance=paces.distance("", totals.distance_km),
        energy=visit.scales.of("active_energy", "kcal").with_unit(totals.active_energy_kcal),
        layers=_layers(found, names, span, kept),
        rows=[_row(visit, paces, names, line) for line in found[(number - 1) * ROWS : number * ROWS]],
        page_number=number,
        pages=pages,
        bests=[
            _bests(paces, names, each)
            for each in bests_of(lines)
            if not wanted.label or each.label == wanted.label
        ],
    )


def _wanted(span: Range, units: Units) -> tuple[Wanted, dict[str, str]]:
    """Read the filter from the address, and return it with the part of the address that says so."""
    label = request.args.get("type", "")[:LONGEST_TEXT]
    text = request.args.get("q", "").strip()[:LONGEST_TEXT]
    distance = _amount(request.args.get("distance"))
    minutes = _amount(request.args.get("minutes"))
    factor = KM_PER_MILE if units is Units.IMPERIAL else 1
    kept = {"type": label, "q": text, "distance": distance, "minutes": minutes}
    return (
        Wanted(
            first=span.first,
            last=span.last,
            label=label,
            text=text,
            least_km=None if distance is None else distance * factor,
            least_min=minutes,
        ),
        {
            name: f"{value:g}" if isinstance(value, float) else value
            for name, value in kept.items()
            if value not in (None, "")
        },
    )


def span_fields(span: Range) -> dict[str, str]:
    """Return the range as fields of a form."""
    if not span.letter:
        return {"start": span.first.isoformat(), "end": span.last.isoformat()}
    return {"range": span.letter} | ({} if span.last >= span.today else {"end": span.last.isoformat()})


def _layers(found: Sequence[Line], names: dict[str, str], span: Range, kept: dict[str, str]) -> list[Layer]:
    labels = labels_by_time(found)
    # The days themselves, because “all” begins where the list of this page does.
    query = {"start": span.first.isoformat(), "end": span.last.isoformat()} | kept
    own = labels[: len(KINDS)]
    layers = [
        Layer(names[label], kind, _weeks(query | {"only": label}))
        for label, kind in zip(own, KINDS, strict=False)
    ]
    if len(labels) > len(own):
        layers.append(Layer("All others", "other", _weeks(query | {"without": own})))
    return layers


def _weeks(query: dict[str, str] | dict[str, str | list[str]]) -> str:
    return f"/workouts/weeks?{urlencode(query, doseq=True)}"


def _row(visit: Visit, paces: Paces, names: dict[str, str], line: Line) -> Row:
    return Row(
        workout_id=line.workout_id,
        name=line.name or names[line.label],
        type_name=names[line.label],
        start=f"{line.start:%H:%M}",
        day=line.day,
        length="–" if line.seconds is None else hours_text(line.seconds / 3600),
        distance=paces.distance(line.label, line.distance_km),
        pace=paces.text(line.label, line.speed_km_h),
        pace_word=paces.word(line.label),
        heart_rate="–" if line.avg_heart_rate is None else f"{line.avg_heart_rate:.0f} bpm",
        energy=visit.scales.of("active_energy", "kcal").with_unit(line.active_energy_kcal),
        source=line.source,
    )


def _bests(paces: Paces, names: dict[str, str], bests: Bests) -> TypeBests:
    found = []
    if bests.longest and bests.longest.seconds:
        length = hours_text(bests.longest.seconds / 3600)
        found.append(Best("Longest", length, bests.longest.day, bests.longest.workout_id))
    if bests.farthest:
        distance = paces.distance(bests.label, bests.farthest.distance_km)
        found.append(Best("Farthest", distance, bests.farthest.day, bests.farthest.workout_id))
    if bests.fastest:
        pace = paces.text(bests.label, bests.fastest.speed_km_h)
        found.append(Best("Fastest on average", pace, bests.fastest.day, bests.fastest.workout_id))
    return TypeBests(names[bests.label], bests.count, found)


def _amount(text: str | None) -> float | None:
    """Read a number from the address; whatever is none asks for nothing."""
    try:
        number = float((text or "").replace(",", "."))
    except ValueError:
        return None
    return number if 0 < number <= MOST_MINUTES else None


def _number(text: str | None, last: int) -> int:
    return min(max(int(text), 1), last) if text and text.isascii() and text.isdigit() and len(text) < 6 else 1

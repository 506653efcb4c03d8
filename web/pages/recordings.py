"""ECGs and heart notifications: lists, and one of them with its curve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response
from sqlalchemy import Row

from appliance.domain.record import Kind
from web.frame import Visit, here, page
from web.heartbeats import Curve, curve_of, readings_of
from web.logs import local, notification
from web.ranges import Range
from web.shelves import BY_KIND, MOST_ROWS, Shelf, json_url, rows_of
from web.strips import Mark, Strip, strip_of
from web.told import Word, flags, word

AROUND = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class EcgRow:
    """One ECG in the list."""

    record_id: int
    at: datetime
    classification: Word
    rate: float | None
    source: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class EcgListPage:
    """ECGs, newest first."""

    shelf: Shelf
    span: Range
    rows: list[EcgRow]
    held: int
    json_url: str


@dataclass(frozen=True, slots=True)
class EcgPage:
    """One ECG."""

    record: EcgRow
    has_voltages: bool
    frequency: float | None
    symptoms: list[str]
    flags: list[str]
    revisions: int
    upload_id: int


@dataclass(frozen=True, slots=True)
class HeartRow:
    """One heart notification. `lowest` and `highest` are of the readings that came with it, in beats a minute."""

    record_id: int
    at: datetime
    until: datetime | None
    about: Word
    threshold: float | None
    lowest: float | None
    highest: float | None
    source: str

    @property
    def limit_words(self) -> str:
        """The threshold in words."""
        if self.threshold is None:
            return "no threshold told"
        return f"threshold {self.threshold:g} bpm"


@dataclass(frozen=True, slots=True)
class HeartListPage:
    """Heart notifications, newest first."""

    shelf: Shelf
    span: Range
    rows: list[HeartRow]
    held: int
    strip: Strip | None
    json_url: str


@dataclass(frozen=True, slots=True)
class HeartPage:
    """One heart notification with the heart rate around it."""

    record: HeartRow
    curve: Curve | None
    flags: list[str]
    revisions: int
    upload_id: int


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/records/ecg", endpoint="records_ecg")
    def ecgs() -> Response:
        return page("records_ecg.html", _ecgs(here()))

    @pages.get("/records/ecg/<int:record_id>", endpoint="records_ecg_one")
    def ecg(record_id: int) -> Response:
        return page("records_ecg_one.html", _ecg(here(), record_id))

    @pages.get("/records/heart", endpoint="records_heart")
    def hearts() -> Response:
        return page("records_heart.html", _hearts(here()))

    @pages.get("/records/heart/<int:record_id>", endpoint="records_heart_one")
    def heart(record_id: int) -> Response:
        return page("records_heart_one.html", _heart(here(), record_id))


def _ecg(visit: Visit, record_id: int) -> EcgPage:
    found = visit.services.records.find(visit.person_id, Kind.ECG, record_id)
    content = found.row.content
    told = content.get("symptoms")
    return EcgPage(
        _ecg_row(found.row),
        any(track.name == "voltage" for track in found.tracks),
        _number(content.get("sampling_frequency")),
        [each for each in told if isinstance(each, str)] if isinstance(told, list) else [],
        flags(found.row.flags),
        len(found.revisions),
        found.row.upload_id,
    )


def _ecgs(visit: Visit) -> EcgListPage:
    shelf = BY_KIND[Kind.ECG]
    span, rows, held = rows_of(visit, shelf, "all")
    return EcgListPage(shelf, span, [_ecg_row(row) for row in rows[:MOST_ROWS]], held, json_url(shelf, span))


def _ecg_row(row: Row[Any]) -> EcgRow:
    content = row.content
    count, frequency = _number(content.get("voltage_count")), _number(content.get("sampling_frequency"))
    if count and frequency:
        seconds: float | None = count / frequency
    else:
        seconds = (row.end_at - row.start_at).total_seconds() if row.end_at else None
    return EcgRow(
        row.record_id,
        local(row.start_at, row.utc_offset),
        word(content, "classification"),
        _number(content.get("average_heart_rate")),
        row.source,
        seconds if seconds and seconds > 0 else None,
    )


def _hearts(visit: Visit) -> HeartListPage:
    shelf = BY_KIND[Kind.HEART_NOTIFICATION]
    span, rows, held = rows_of(visit, shelf, "all")
    shown = rows[:MOST_ROWS]
    curves = visit.services.records.curves(visit.person_id, [row.record_id for row in shown], "heart_rate")
    told = [
        _heart_row(row, curves[row.record_id].channels["heart_rate"] if row.record_id in curves else [])
        for row in shown
    ]
    marks = [
        Mark(notification(row).text, at.date(), 2, f"{at.day} {at:%B}, {at:%H:%M}")
        for row in rows
        for at in [local(row.start_at, row.utc_offset)]
    ]
    strip = strip_of(marks, span.first, span.last) if marks else None
    return HeartListPage(shelf, span, told, held, strip, json_url(shelf, span))


def _heart_row(row: Row[Any], rates: list[float | None]) -> HeartRow:
    known = [rate for rate in rates if rate is not None]
    return HeartRow(
        row.record_id,
        local(row.start_at, row.utc_offset),
        local(row.end_at, row.utc_offset) if row.end_at and row.end_at > row.start_at else None,
        notification(row),
        _number(row.content.get("threshold")),
        min(known, default=None),
        max(known, default=None),
        row.source,
    )


def _heart(visit: Visit, record_id: int) -> HeartPage:
    found = visit.services.records.find(visit.person_id, Kind.HEART_NOTIFICATION, record_id)
    row = found.row
    track = next((track for track in found.tracks if track.name == "heart_rate"), None)
    record = _heart_row(row, track.channels["heart_rate"] if track else [])
    first, last = row.start_at - AROUND, (row.end_at or row.start_at) + AROUND
    curve = curve_of(
        readings_of(visit.services, visit.person_id, first, last, track),
        first,
        last,
        row.utc_offset,
        threshold=record.threshold,
        event=(row.start_at, max(row.end_at or row.start_at, row.start_at)),
    )
    return HeartPage(record, curve, flags(row.flags), len(found.revisions), row.upload_id)


def _number(told: Any) -> float | None:
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) else None
